"""Adaptive diversity promoting (Pang et al. 2019): a peer, to compare decorrelation with."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import STRENGTH, Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.errors import UserError
from jaxadv.losses.diversity import adaptive_diversity
from jaxadv.phases import Metrics
from jaxadv.training import Phase
from jaxadv.types import Array


def adp(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    entropy: float = 2.0,
    volume: float = 0.5,
) -> Phase:
    """The phase Σ CE − λ (α H + β log V), λ the run's setting "strength"; 1 is the paper's.

    Pang et al. (2019, eq. 5). H is the entropy of the mean prediction, V the squared volume that
    the members' predictions of the wrong classes span, as unit vectors. The phase reports the mean
    of α H + β log V as "diversity".

    entropy, volume: α and β.

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(3)))
    >>> zero = {"params": {"kernel": np.zeros((2, 4, 3)), "bias": np.zeros((2, 3))}}
    >>> batch, key = data.Dataset(np.ones((5, 4)), np.zeros(5, int)), jax.random.key(0)
    >>> phase = defences.adp(pair, optax.adam(1e-3))
    >>> _, (_, metrics) = jax.jit(phase.loss)(zero, batch, key, 0, {"strength": 1.0})
    >>> round(float(metrics["diversity"]), 2)  # 2 log 3 + 0.5 log 1e-6: both members say the same
    -4.71

    Raises:
        UserError: if there are no two members.
    """
    if ensemble.size < 2:
        raise UserError(f"ADP of {ensemble.size} member(s): give at least 2")

    def penalty(step: Step) -> tuple[Array, Metrics]:
        promoted = adaptive_diversity(
            step.outputs.logits, step.batch.labels, entropy=entropy, volume=volume
        )
        diversity = jnp.mean(promoted)
        return -step.scalar(STRENGTH) * diversity, {"diversity": diversity}

    return regularised(ensemble, optimizer, penalty)
