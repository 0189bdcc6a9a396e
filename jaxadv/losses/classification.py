"""What M members' logits say of the labels, and the two ways the paper joins cross-entropies."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jax.dtypes import canonicalize_dtype

from jaxadv.checks import check_choice, numbers
from jaxadv.data.dataset import check_labels
from jaxadv.errors import UserError
from jaxadv.types import Array

Joined = Literal["sum", "root_sum_square"]
_FAR = 15.0  # beyond, log(1 + exp(−t)) and exp(−t) are equal in float32


def check_logits(logits: Any, labels: Any) -> tuple[Array, Array]:
    """`logits [..., B, C]`, at least float32, and `labels [B]` or `[..., B]`, of C classes.

    Shapes and types are looked at always, the labels' values unless they are traced.

    Raises:
        UserError: if these are no logits, of one class alone, or the labels do not fit them.
    """
    if not hasattr(logits, "shape") or not hasattr(logits, "dtype"):
        raise UserError(
            f"the model returned a {type(logits).__name__}: give a function that returns the "
            "logits [B, classes] alone"
        )
    wanted = "give numbers [B, classes]"
    if numbers("logits", logits, wanted).ndim < 2:
        raise UserError(f"logits of shape {logits.shape} and type {logits.dtype}: {wanted}")
    if logits.shape[-1] < 2:
        raise UserError(
            f"logits of shape {logits.shape}: {logits.shape[-1]} classes cannot be told apart; of "
            "a sigmoid's one logit s give jnp.concatenate([jnp.zeros_like(s), s], -1)"
        )
    labels = numbers("labels", labels, "give class indices, whole numbers from 0")
    found, batch = labels.shape, logits.shape[:-1]
    if found not in (batch, batch[-1:]):
        raise UserError(
            f"labels of shape {found} for logits of shape {logits.shape}: give one class index "
            f"for each of {batch[-1]} images{_reshaped(found, logits.shape)}"
        )
    check_labels(labels, logits.shape[-1])
    wide = canonicalize_dtype(jnp.promote_types(logits.dtype, jnp.float32))
    return jnp.asarray(logits, wide), jnp.asarray(labels)


def _reshaped(labels: tuple[int, ...], logits: tuple[int, ...]) -> str:
    """How labels of that shape may become `[B]`."""
    if labels == (logits[-2], 1):
        return ", labels[:, 0]"
    return ", labels.argmax(-1)" if labels == logits[-2:] else ""


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Per-example cross-entropy, in nats; `logits [..., B, C]` and `labels [B]` give `[..., B]`.

    In float32 it and its gradient are 0 where the labelled class leads by 17 or more. For training
    that does no harm. An attack would stand still there, so attacks ascend −`log_odds` instead.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.cross_entropy(jnp.zeros((1, 1, 2)), jnp.array([0])))  # [M, B, C] to [M, B]
    [[0.6931472]]

    Raises:
        UserError: if the labels do not fit the logits.
    """
    logits, labels = check_logits(logits, labels)
    labels = jnp.broadcast_to(labels, logits.shape[:-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def log_cross_entropy(logits: Array, labels: Array) -> Array:
    """Logarithm of the cross-entropy, `[..., B]`, its gradient exact however small that is.

    The cross-entropy is log(1 + exp(−m)), m the log odds: for large m its logarithm is −m.
    """
    against = -log_odds(logits, labels)
    near = against > -_FAR
    return jnp.where(near, jnp.log(jax.nn.softplus(jnp.where(near, against, 0))), against)


def _others(logits: Array, labels: Array) -> tuple[Array, Array]:
    """The labelled class's logit `[..., B]`, and `[..., B, C]` with that class at −inf."""
    labelled = jnp.arange(logits.shape[-1]) == labels[..., None]
    own = jnp.sum(jnp.where(labelled, logits, 0), axis=-1)
    return own, jnp.where(labelled, -jnp.inf, logits)


def margins(logits: Array, labels: Array) -> Array:
    """By how much the best other class leads the labelled one; `[..., B, C]` gives `[..., B]`.

    In units of the logits; above 0 where the guess is wrong. Carlini & Wagner's f_6 (2017),
    untargeted, is max(−margin, 0).

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.margins(jnp.array([[[3.0, 1.0]]]), jnp.array([0])))
    [[-2.]]

    Raises:
        UserError: if the labels do not fit the logits.
    """
    own, others = _others(*check_logits(logits, labels))
    return jnp.max(others, axis=-1) - own


def log_odds(logits: Array, labels: Array) -> Array:
    """Logarithm of p / (1 − p), p the labelled class's probability; `[..., B, C]` gives `[..., B]`.

    It is z_y − log Σ_{k≠y} exp z_k, smooth, and not saturated where p is. Its gradient is that of
    the cross-entropy divided by −(1 − p).

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.log_odds(jnp.array([[[3.0, 1.0]]]), jnp.array([0])))
    [[2.]]

    Raises:
        UserError: if the labels do not fit the logits.
    """
    own, others = _others(*check_logits(logits, labels))
    return own - jax.nn.logsumexp(others, axis=-1)


def accuracy(logits: Array, labels: Array) -> Array:
    """Share of examples each member gets right; `[M, B, C]` gives `[M]`. NaN is not right.

    Where two classes tie the first counts as the guess.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> logits = jnp.array([[[3.0, 1.0], [3.0, 1.0]]])  # one member, two images
    >>> print(losses.accuracy(logits, jnp.array([0, 1])))
    [0.5]

    Raises:
        UserError: if the labels do not fit the logits.
    """
    logits, labels = check_logits(logits, labels)
    number = ~jnp.isnan(jnp.max(logits, axis=-1))
    return jnp.mean((jnp.argmax(logits, -1) == labels) & number, axis=-1)


def join(losses: Array, how: Joined = "sum") -> Array:
    """One scalar of the members' losses `[M]`.

    how: "sum" is CE1 + CE2 (Wiedeman & Wang, Patterns 2022, eq. 5). "root_sum_square" is
        sqrt(CE1² + CE2²), what the published code trains with: the member that is behind weighs
        more.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> both = jnp.array([3.0, 4.0])
    >>> print(losses.join(both), losses.join(both, "root_sum_square"))
    7.0 5.0

    Raises:
        UserError: another `how`, or losses that are not one number a member.
    """
    check_choice("joined", how, ("sum", "root_sum_square"))
    losses = jnp.asarray(numbers("losses", losses, "give the members' [M]"))
    if losses.ndim != 1:
        raise UserError(f"losses of shape {losses.shape}: give the members' [M]")
    if how == "sum":
        return jnp.sum(losses)
    squares = jnp.sum(losses**2)
    positive = squares > 0  # at 0 the root has no derivative; 0 is as good as any
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
