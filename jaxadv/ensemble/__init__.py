"""An ensemble is anything that maps `x` to logits `[M, B, C]` and M feature arrays."""

from jaxadv.ensemble.ensemble import (
    Ensemble,
    EnsembleOutputs,
    Indices,
    callables,
    check_classes,
    check_ensemble,
    check_indices,
    features,
    frozen,
    member,
    mixed,
    pathways,
    predict,
    stack,
    stacked,
)

__all__ = [
    "Ensemble",
    "EnsembleOutputs",
    "Indices",
    "callables",
    "check_classes",
    "check_ensemble",
    "check_indices",
    "features",
    "frozen",
    "member",
    "mixed",
    "pathways",
    "predict",
    "stack",
    "stacked",
]
