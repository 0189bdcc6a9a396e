"""An ensemble is anything that maps `x` to logits `[M, B, C]` and M feature arrays.

`stacked` holds members of one architecture as one pytree with a leading member axis, `mixed` joins
several stacked groups, `pathways` takes the necks of one autoencoder, `callables` takes functions
that are already trained. Losses, attacks and evaluation see only `Ensemble`.
"""

from jaxadv.ensemble.ensemble import Ensemble, EnsembleOutputs, features, predict
from jaxadv.ensemble.functions import callables
from jaxadv.ensemble.groups import frozen, mixed
from jaxadv.ensemble.necks import pathways
from jaxadv.ensemble.vmapped import stacked
from jaxadv.members import member, stack

__all__ = [
    "Ensemble",
    "EnsembleOutputs",
    "callables",
    "features",
    "frozen",
    "member",
    "mixed",
    "pathways",
    "predict",
    "stack",
    "stacked",
]
