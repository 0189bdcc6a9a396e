"""Two members at a chosen distance in weight space (Wiedeman & Wang, Patterns 2022, eq. 4)."""

import optax

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble
from jaxadv.losses.classification import Joined, join
from jaxadv.losses.distance import distance_loss, squared_distance
from jaxadv.losses.tasks import classify
from jaxadv.training import Metrics, Phase
from jaxadv.types import Array, Key, Variables

TARGET = "distance"  # D_t, the squared distance in which runs differ


def parametric_distance(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    strength: float = 1e-5,
    joined: Joined = "sum",
) -> Phase:
    """The phase CE1 + CE2 + λ (D_t − ‖θ1 − θ2‖²)², D_t the run's setting "distance"."""

    def loss(
        variables: Variables, batch: Dataset, key: Key, epoch: Array, settings: dict[str, Array]
    ) -> tuple[Array, tuple[Variables, Metrics]]:
        outputs, updated = ensemble.apply(variables, batch.images, train=True, key=key)
        losses, metrics = classify(outputs, batch)
        penalty = strength * distance_loss(variables["params"], settings[TARGET])
        metrics |= {"squared_distance": squared_distance(variables["params"])}
        return join(losses, joined) + penalty, (updated, metrics)

    return Phase(loss, optimizer)
