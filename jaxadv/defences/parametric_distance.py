"""Two members at a chosen distance in weight space (Wiedeman & Wang, Patterns 2022, eq. 4)."""

import optax

from jaxadv.defences.regularised import Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.losses.classification import Joined
from jaxadv.losses.distance import distance_loss, squared_distance
from jaxadv.training import Metrics, Phase
from jaxadv.types import Array

_TARGET = "distance"  # D_t, the squared distance in which runs differ


def parametric_distance(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    strength: float = 1e-5,
    joined: Joined = "sum",
) -> Phase:
    """The phase CE1 + CE2 + λ (D_t − ‖θ1 − θ2‖²)², D_t the run's setting "distance"."""

    def penalty(step: Step) -> tuple[Array, Metrics]:
        weights = step.variables["params"]
        away = distance_loss(weights, step.scalar(_TARGET))
        return strength * away, {"squared_distance": squared_distance(weights)}

    return regularised(ensemble, optimizer, penalty, joined=joined)
