"""Cross-entropies of M members, and the two ways the paper joins them."""

from typing import Literal

import jax.numpy as jnp
import optax

from jaxadv.errors import UserError
from jaxadv.types import Array

Joined = Literal["sum", "root_sum_square"]


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Per-example cross-entropy; `logits [..., B, C]` and `labels [B]` give `[..., B]`."""
    labels = jnp.broadcast_to(labels, logits.shape[:-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def accuracy(logits: Array, labels: Array) -> Array:
    """Share of examples each member gets right; `[M, B, C]` gives `[M]`."""
    return jnp.mean(jnp.argmax(logits, -1) == labels, axis=-1)


def join(losses: Array, how: Joined = "sum") -> Array:
    """One scalar of the members' losses `[M]`.

    "sum" is CE1 + CE2 (Patterns 2022, eq. 5); "root_sum_square" is sqrt(CE1² + CE2²), what the
    published code trains with: it leans on the member that is behind.
    """
    if how == "sum":
        return jnp.sum(losses)
    if how == "root_sum_square":
        squares = jnp.sum(losses**2)
        positive = squares > 0  # at 0 the root has no derivative; 0 is as good as any
        return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
    raise UserError(f"joined {how!r}: choose sum or root_sum_square")
