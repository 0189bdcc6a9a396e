"""jaxadv: why adversarial examples transfer, and how to train networks that fail differently.

The floors, imports running leftwards only:
data, models, ensemble, losses, attacks, training (defences), evaluation, metrics.
`jaxadv.transfer` says which of several models fools which. A part is loaded when it is asked for.

Public is what docs/api.md lists, which is what the `__all__` of its modules hold; everything else
may change.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxadv import (
        attacks,
        checkpoint,
        data,
        defences,
        ensemble,
        errors,
        evaluation,
        losses,
        metrics,
        models,
        parallel,
        plots,
        results,
        training,
    )
    from jaxadv.matrix import transfer

__version__ = "0.1.0"
__all__ = [
    "attacks",
    "checkpoint",
    "data",
    "defences",
    "ensemble",
    "errors",
    "evaluation",
    "losses",
    "metrics",
    "models",
    "parallel",
    "plots",
    "results",
    "training",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name == "transfer":
        return import_module("jaxadv.matrix").transfer
    if name in __all__:
        return import_module(f"jaxadv.{name}")
    raise AttributeError(f"module 'jaxadv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
