"""Attack once, score every way.

`evaluate` crafts on each *source*, a named subset of the members, and predicts with every member.
What comes back are probabilities; every rate is a reduction of them (`jaxadv.metrics`).
"""

from jaxadv.evaluation.chunks import in_chunks
from jaxadv.evaluation.crafting import craft
from jaxadv.evaluation.inputs import Aims, check_attack, checked_aims
from jaxadv.evaluation.predictions import Predictions, evaluate
from jaxadv.evaluation.sources import ALL, Sources, each_and_all

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
