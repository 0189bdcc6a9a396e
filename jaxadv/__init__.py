"""jaxadv: why adversarial examples transfer, and how to train networks that fail differently.

The floors, imports running leftwards only:
data, models, ensemble, losses, attacks, training (defences), evaluation, metrics.
`jaxadv.transfer` says which of several models fools which; a part is loaded when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxadv import (
        attacks,
        data,
        defences,
        ensemble,
        evaluation,
        losses,
        metrics,
        models,
        plots,
        training,
    )
    from jaxadv.matrix import transfer

__version__ = "0.1.0"
__all__ = [
    "attacks",
    "data",
    "defences",
    "ensemble",
    "evaluation",
    "losses",
    "metrics",
    "models",
    "plots",
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
