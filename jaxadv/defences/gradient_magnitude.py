"""Networks whose input gradients have a chosen length (Adam et al. 2019, sections 3.3 and 4.2)."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import Step, Updates, in_steps
from jaxadv.ensemble import Ensemble
from jaxadv.losses.gradients import input_gradients, probability_gradient_norms
from jaxadv.training import Metrics, Phase
from jaxadv.types import Array

_NORM = "gradient_norm"  # the length in which runs differ


def gradient_magnitude(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    updates: Updates = "alternating",
    strength: float = 1.0,
) -> list[Phase]:
    """The phases that draw ‖∇p‖₂ of each member, p the true class's probability, to a length.

    The penalty is strength · mean((‖∇p‖ − t)²), t the run's setting "gradient_norm". A small
    gradient needs a large step to be fooled: the papers' false sense of security.
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        found = input_gradients(ensemble, step.variables, *step.batch)
        norms = probability_gradient_norms(*found)
        away = jnp.mean((norms - step.scalar(_NORM)) ** 2)
        return strength * away, {"norm": jnp.mean(norms)}

    return in_steps(ensemble, optimizer, penalty, updates)
