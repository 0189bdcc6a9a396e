"""How the members' input gradients lie to each other (Adam et al. 2019, sections 3.3 to 3.6).

The papers take the gradient of the true class's probability p. Here it is that of its log odds m,
which is smooth where p is 0 or 1: ∇p = p (1 − p) ∇m, so that angles are the same.
"""

from collections.abc import Iterator
from itertools import combinations

import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.ensemble import Ensemble, predict
from jaxadv.errors import UserError
from jaxadv.losses.classification import log_odds
from jaxadv.types import Array, Variables


def input_gradients(
    ensemble: Ensemble, variables: Variables, x: Array, labels: Array
) -> tuple[Array, Array]:
    """Each member's log odds of the labels `[M, B]`, and their gradients `[M, B, D]` by the images.

    In eval mode, so that one example's gradient depends on no other. Each member is differentiated
    alone. Differentiable once more, by the variables.
    """

    def of(index: Array) -> tuple[Array, Array]:
        source, chosen = ensemble.pick(variables, index)

        def total(x: Array) -> tuple[Array, Array]:
            odds = log_odds(predict(source, chosen)(x)[0], labels)
            return jnp.sum(odds), odds

        gradient, odds = jax.grad(total, has_aux=True)(x)
        return odds, gradient.reshape(len(x), -1)

    if ensemble.alike:
        return jax.vmap(lambda index: of(index[None]))(jnp.arange(ensemble.size))
    found = [of((index,)) for index in range(ensemble.size)]  # type: ignore[arg-type]
    odds, gradients = zip(*found, strict=True)
    return jnp.stack(odds), jnp.stack(gradients)


def _length(x: Array) -> tuple[Array, Array]:
    """‖x‖₂ over the last axis, and 1 / ‖x‖₂; both 0, with zero gradient, where x is 0.

    Scaled first: the squares of a gradient of 1e-23 are 0 in float32. NaN of what is not finite.
    """
    largest = lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1))
    positive = largest != 0  # NaN too: it has no length, least of all 0
    scale = jnp.where(positive, largest, 1)
    squares = jnp.sum((x / scale[..., None]) ** 2, axis=-1)
    length = scale * jnp.sqrt(jnp.where(positive, squares, 1))
    return jnp.where(positive, length, 0), jnp.where(positive, 1 / length, 0)


def _pairs(members: int) -> Iterator[tuple[int, int]]:
    if members < 2:
        raise UserError(f"gradients of {members} member(s) to compare: give at least 2")
    return combinations(range(members), 2)


def cosines(gradients: Array) -> Array:
    """Cosine of every two members' gradients `[M, B, D]`, `[P, B]` for P pairs i < j.

    0 where a gradient is 0.

    Raises:
        UserError: if there are no two members.
    """
    units = gradients * _length(gradients)[1][..., None]
    pairs = _pairs(len(gradients))
    return jnp.stack([jnp.sum(units[i] * units[j], axis=-1) for i, j in pairs])


def probability_gradient_norms(odds: Array, gradients: Array) -> Array:
    """‖∇p‖₂ `[M, B]` of the true class's probability, from its log odds and their gradients."""
    return jax.nn.sigmoid(odds) * jax.nn.sigmoid(-odds) * _length(gradients)[0]


def norm_gap(norms: Array) -> Array:
    """Mean squared difference `[]` of every two members' gradient norms `[M, B]`."""
    return jnp.mean(jnp.stack([(norms[i] - norms[j]) ** 2 for i, j in _pairs(len(norms))]))
