"""What M members' logits say of the labels, and the two ways the paper joins cross-entropies."""

from typing import Literal

import jax
import jax.numpy as jnp
import optax

from jaxadv.errors import UserError
from jaxadv.types import Array

Joined = Literal["sum", "root_sum_square"]


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Per-example cross-entropy; `logits [..., B, C]` and `labels [B]` give `[..., B]`."""
    labels = jnp.broadcast_to(labels, logits.shape[:-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def _others(logits: Array, labels: Array) -> tuple[Array, Array]:
    """The labelled class's logit `[..., B]`, and `[..., B, C]` with that class at −inf."""
    labelled = jnp.arange(logits.shape[-1]) == labels[:, None]
    own = jnp.sum(jnp.where(labelled, logits, 0), axis=-1)
    return own, jnp.where(labelled, -jnp.inf, logits)


def margins(logits: Array, labels: Array) -> Array:
    """By how much the best other class leads the labelled one; `[..., B, C]` gives `[..., B]`.

    Above 0 where the guess is wrong. Carlini & Wagner's f_6 (2017), untargeted, is −margin, cut off
    at 0.
    """
    own, others = _others(logits, labels)
    return jnp.max(others, axis=-1) - own


def log_odds(logits: Array, labels: Array) -> Array:
    """Logarithm of p / (1 − p), p the labelled class's probability; `[..., B, C]` gives `[..., B]`.

    z_y − log Σ_{k≠y} exp z_k: smooth, and not saturated where p is.
    """
    own, others = _others(logits, labels)
    return own - jax.nn.logsumexp(others, axis=-1)


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
