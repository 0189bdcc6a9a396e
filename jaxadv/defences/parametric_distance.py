"""Two members at a chosen distance in weight space (Wiedeman & Wang, Patterns 2022, eq. 4)."""

import optax

from jaxadv.defences.regularised import Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.losses.classification import Joined
from jaxadv.losses.distance import distance_loss, squared_distance
from jaxadv.phases import Metrics
from jaxadv.training import Phase
from jaxadv.types import Array

_TARGET = "distance"  # D_t, the squared distance in which runs differ


def parametric_distance(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    strength: float = 1e-5,
    joined: Joined = "sum",
) -> Phase:
    """The phase CE1 + CE2 + λ (D_t − ‖θ1 − θ2‖²)², D_t the run's setting "distance".

    Wiedeman & Wang, Patterns 2022, eq. 4. The phase reports "squared_distance".

    strength: λ. joined: how the cross-entropies are joined, see `losses.join`.

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(3)))
    >>> zero = {"params": {"kernel": np.zeros((2, 4, 3)), "bias": np.zeros((2, 3))}}
    >>> batch, key = data.Dataset(np.ones((5, 4)), np.zeros(5, int)), jax.random.key(0)
    >>> phase = defences.parametric_distance(pair, optax.adam(1e-3), strength=1.0)
    >>> value, _ = jax.jit(phase.loss)(zero, batch, key, 0, {"distance": 10.0})
    >>> round(float(value), 1)  # 2 log 3 + (10 − 0)²
    102.2

    Raises:
        UserError: in training, if the members are no pair, or the runs have no "distance".
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        weights = step.variables["params"]
        away = distance_loss(weights, step.scalar(_TARGET))
        return strength * away, {"squared_distance": squared_distance(weights)}

    return regularised(ensemble, optimizer, penalty, joined=joined)
