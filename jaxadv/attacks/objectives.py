"""What is raised of several members' logits `[M, B, C]`, per example; it does not saturate."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.losses.classification import log_cross_entropy, log_odds, margins
from jaxadv.types import Array


def _mean_logits(logits: Array) -> Array:
    return jnp.mean(logits, axis=0, keepdims=True)


def _mean_probabilities(logits: Array) -> Array:
    """The logarithms of the members' mean probabilities, `[1, B, C]`: logits of the ensemble."""
    return jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0, keepdims=True) - jnp.log(
        len(logits)
    )


def _least_odds(logits: Array, y: Array, sign: float) -> Array:
    return jnp.min(-sign * log_odds(logits, y), axis=0)


def _least_margin(logits: Array, y: Array, sign: float) -> Array:
    return jnp.min(sign * margins(logits, y), axis=0)


def _odds_of_mean_probability(logits: Array, y: Array, sign: float) -> Array:
    """Minus the log odds of the members' mean probability P of the label.

    Where sure members contradict each other P is flat, not without a direction: ∇P is the mean of
    p_m (1 − p_m) ∇(log odds)_m, whose weights are brought to sum to 1 by their logarithms.
    """
    odds = log_odds(logits, y)
    right, wrong = jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds)
    value = jax.nn.logsumexp(wrong, axis=0) - jax.nn.logsumexp(right, axis=0)
    weights = lax.stop_gradient(jax.nn.softmax(right + wrong, axis=0))
    ascent = -jnp.sum(weights * odds, axis=0)
    return sign * (lax.stop_gradient(value) + ascent - lax.stop_gradient(ascent))


def _mean_power(power: float) -> Callable[[Array, Array, float], Array]:
    """Logarithm of the mean of the members' cross-entropies to a power; it ascends as that does."""

    def value(logits: Array, y: Array, sign: float) -> Array:
        summed = jax.nn.logsumexp(power * log_cross_entropy(logits, y), axis=0)
        return sign * (summed - jnp.log(len(logits)))

    return value


def _of(joined: Callable[[Array], Array], value: Callable[..., Array]) -> Callable[..., Array]:
    return lambda logits, y, sign: value(joined(logits), y, sign)


# What is raised of the members' logits [M, B, C]; sign −1 lowers the loss to a target instead.
OBJECTIVES: dict[str, Callable[[Array, Array, float], Array]] = {
    "loss": _mean_power(1),
    "squares": _mean_power(2),
    "min": _least_odds,
    "margin": _least_margin,
    "logits": _of(_mean_logits, _least_odds),
    "probabilities": _odds_of_mean_probability,
    "logits margin": _of(_mean_logits, _least_margin),
    "probabilities margin": _of(_mean_probabilities, _least_margin),
}
COMBINATIONS = (*OBJECTIVES, "gradients")
"""The ways to join several members that `attacks.joint` takes as `combine`, and explains.

>>> from jaxadv import attacks
>>> attacks.COMBINATIONS[:3]
('loss', 'squares', 'min')
"""


def are_probabilities(logits: Array) -> Array:
    """Whether each example's logits `[M, B, C]` look like a softmax's output: `[B]`."""
    total = jnp.sum(logits, axis=-1)
    return jnp.all(jnp.all(logits >= 0, axis=-1) & (jnp.abs(total - 1) < 1e-3), axis=0)
