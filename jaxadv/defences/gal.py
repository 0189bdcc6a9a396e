"""Gradient alignment loss (Kariyappa & Qureshi 2019): a peer, to compare decorrelation with."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import STRENGTH, Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.losses.diversity import gradient_coherence
from jaxadv.losses.gradients import cosines, input_gradients
from jaxadv.phases import Metrics
from jaxadv.training import Phase
from jaxadv.types import Array


def gal(ensemble: Ensemble, optimizer: optax.GradientTransformation) -> Phase:
    """The phase Σ CE + λ log Σ exp cos(∇CE_i, ∇CE_j), λ the run's setting "strength".

    The gradient alignment loss of Kariyappa & Qureshi (2019, eq. 6), summed over the pairs of
    members. The paper has the mean of the cross-entropies and λ = 0.5; here it is their sum, as
    everywhere. Of two members log Σ exp is the cosine itself, so their gradients become
    antiparallel. The phase reports the mean "cosine".

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(2)))
    >>> kernels = np.array([[[1.0, -1.0]], [[-1.0, 1.0]]])  # one pixel, opposite members
    >>> weights = {"params": {"kernel": kernels, "bias": np.zeros((2, 2))}}
    >>> batch, key = data.Dataset(np.ones((5, 1)), np.zeros(5, int)), jax.random.key(0)
    >>> phase = defences.gal(pair, optax.adam(1e-3))
    >>> _, (_, metrics) = jax.jit(phase.loss)(weights, batch, key, 0, {"strength": 0.5})
    >>> float(metrics["cosine"])
    -1.0

    Raises:
        UserError: in training, if there are no two members or no "strength".
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        angles = cosines(input_gradients(ensemble, step.variables, *step.batch)[1])
        coherence = jnp.mean(gradient_coherence(angles))
        return step.scalar(STRENGTH) * coherence, {"cosine": jnp.mean(angles)}

    return regularised(ensemble, optimizer, penalty)
