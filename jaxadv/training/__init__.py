"""`fit`: an epoch is one compiled scan, and the runs of a study are one program."""

from jaxadv.training.loop import (
    Loss,
    Metrics,
    Phase,
    State,
    Trainable,
    Turns,
    _update,  # noqa: F401 (a test's)
    check_batch_size,
    epoch,
    fit,
    init,
    is_parameter,
    onward,
)

__all__ = [
    "Loss",
    "Metrics",
    "Phase",
    "State",
    "Trainable",
    "Turns",
    "check_batch_size",
    "epoch",
    "fit",
    "init",
    "is_parameter",
    "onward",
]
