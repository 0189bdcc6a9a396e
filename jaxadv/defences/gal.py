"""Gradient alignment loss (Kariyappa & Qureshi 2019): a peer, to compare decorrelation with."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import STRENGTH, Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.losses.diversity import gradient_coherence
from jaxadv.losses.gradients import cosines, input_gradients
from jaxadv.training import Metrics, Phase
from jaxadv.types import Array


def gal(ensemble: Ensemble, optimizer: optax.GradientTransformation) -> Phase:
    """The phase Σ CE + λ log Σ exp cos(∇CE_i, ∇CE_j), λ the run's setting "strength".

    The paper has the mean of the cross-entropies and λ = 0.5; here it is their sum, as everywhere.
    Of two members log Σ exp is the cosine itself: antiparallel gradients, by simultaneous updates.
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        angles = cosines(input_gradients(ensemble, step.variables, *step.batch)[1])
        coherence = jnp.mean(gradient_coherence(angles))
        return step.scalar(STRENGTH) * coherence, {"cosine": jnp.mean(angles)}

    return regularised(ensemble, optimizer, penalty)
