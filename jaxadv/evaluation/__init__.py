"""Attack once, score every way.

`evaluate` crafts on each *source*, a named subset of the members, and predicts with every member.
What comes back are probabilities; every rate is a reduction of them (`jaxadv.metrics`).
"""

from jaxadv.evaluation.chunks import in_chunks
from jaxadv.evaluation.crafting import craft
from jaxadv.evaluation.predictions import Predictions, evaluate
from jaxadv.evaluation.sources import ALL, each_and_all

__all__ = ["ALL", "Predictions", "craft", "each_and_all", "evaluate", "in_chunks"]
