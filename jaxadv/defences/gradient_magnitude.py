"""Networks whose input gradients have a chosen length (Adam et al. 2019, sections 3.3 and 4.2)."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import Step, Updates, in_steps
from jaxadv.ensemble import Ensemble
from jaxadv.losses.gradients import input_gradients, probability_gradient_norms
from jaxadv.phases import Metrics
from jaxadv.training import Phase
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

    The penalty is strength · mean((‖∇p‖ − t)²), t the run's setting "gradient_norm" (Adam et al.
    2019, sections 3.3 and 4.2). A network with small gradients is fooled only by large steps, which
    the papers call a false sense of security. The phases report the mean "norm".

    updates: see `Updates`.

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(3)))
    >>> zero = {"params": {"kernel": np.zeros((2, 4, 3)), "bias": np.zeros((2, 3))}}
    >>> batch, key = data.Dataset(np.ones((5, 4)), np.zeros(5, int)), jax.random.key(0)
    >>> classes, lengths = defences.gradient_magnitude(pair, optax.adam(1e-3))
    >>> value, _ = jax.jit(lengths.loss)(zero, batch, key, 0, {"gradient_norm": 2.0})
    >>> float(value)  # (0 − 2)²
    4.0

    Raises:
        UserError: other `updates`; in training, if the runs have no "gradient_norm".
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        found = input_gradients(ensemble, step.variables, *step.batch)
        norms = probability_gradient_norms(*found)
        away = jnp.mean((norms - step.scalar(_NORM)) ** 2)
        return strength * away, {"norm": jnp.mean(norms)}

    return in_steps(ensemble, optimizer, penalty, updates)
