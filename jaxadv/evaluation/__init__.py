"""Attack once, score every way."""

from jaxadv.evaluation.predictions import (
    ALL,
    Aims,
    Predictions,
    Sources,
    check_attack,
    checked_aims,
    craft,
    each_and_all,
    evaluate,
    in_chunks,
)

__all__ = [
    "ALL",
    "Aims",
    "Predictions",
    "Sources",
    "check_attack",
    "checked_aims",
    "craft",
    "each_and_all",
    "evaluate",
    "in_chunks",
]
