"""Directions: what an attack ascends.

A direction maps images `x [B, …]` to `(value [B], ascent [B, …])`. Per-example objectives are
summed, never averaged, before the gradient is taken, so one example's ascent depends on no other.
Ensembles differ from single networks only here.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from jaxadv.attacks.balls import unit_l2
from jaxadv.errors import UserError
from jaxadv.losses.classification import cross_entropy, margins
from jaxadv.types import Array, Predict

Direction: TypeAlias = Callable[[Array], tuple[Array, Array]]
Objective: TypeAlias = Callable[[Array], Array]  # images [B, …] to values [B], to be raised


def ascend(objective: Objective) -> Direction:
    """The direction that raises a per-example objective `x [B, …] -> [B]` by its gradient."""

    def direction(x: Array) -> tuple[Array, Array]:
        def total(x: Array) -> tuple[Array, Array]:
            values = objective(x)
            return jnp.sum(values), values

        (_, values), gradient = jax.value_and_grad(total, has_aux=True)(x)
        return values, gradient

    return direction


def untargeted(predict: Predict, labels: Array) -> Direction:
    """Away from the true `labels [B]`: raises the cross-entropy of `predict(x) [B, C]`."""
    return ascend(lambda x: cross_entropy(predict(x), labels))


def targeted(predict: Predict, targets: Array) -> Direction:
    """Towards `targets [B]`: lowers the cross-entropy to them."""
    return ascend(lambda x: -cross_entropy(predict(x), targets))


def margin(predict: Predict, labels: Array) -> Direction:
    """Raises the margin by which another class than `labels [B]` leads; `attacks.cw` wants it."""
    return ascend(lambda x: margins(predict(x), labels))


def resembling(features: Callable[[Array], Array], wanted: Array) -> Direction:
    """Towards images whose `features(x) [B, D]` are `wanted [B, D]`: lowers the mean squared error.

    Distillation as Yang et al. (2020, DVERGE, eq. 1) have it: what comes out looks like x, and to
    the network like another image.
    """
    return ascend(lambda x: -jnp.mean((features(x) - wanted) ** 2, axis=-1))


def _mean_of(losses: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    return lambda logits, y, sign: sign * jnp.mean(losses(logits, y), axis=0)


def _least_of(losses: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    return lambda logits, y, sign: jnp.min(sign * losses(logits, y), axis=0)


def _of_mean_logits(logits: Array, y: Array, sign: float) -> Array:
    return sign * cross_entropy(jnp.mean(logits, axis=0), y)


def _of_mean_probabilities(logits: Array, y: Array, sign: float) -> Array:
    log_mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(len(logits))
    return -sign * jnp.take_along_axis(log_mean, y[:, None], axis=-1)[:, 0]


# What is raised of the members' logits [M, B, C]; sign −1 lowers the loss to a target instead.
_OBJECTIVES: dict[str, Callable[..., Array]] = {
    "loss": _mean_of(cross_entropy),
    "squares": _mean_of(lambda logits, y: cross_entropy(logits, y) ** 2),
    "min": _least_of(cross_entropy),
    "margin": _least_of(margins),
    "logits": _of_mean_logits,
    "probabilities": _of_mean_probabilities,
}
COMBINATIONS = (*_OBJECTIVES, "gradients")


def unit_gradients(predict: Predict, labels: Array, sign: float = 1.0) -> Direction:
    """Sum over members of each one's unit-l2 gradient (the gradient ensemble of Seiler et al.).

    No member's larger gradient outvotes the others. The value is the members' summed loss.
    """

    def direction(x: Array) -> tuple[Array, Array]:
        losses, pullback = jax.vjp(lambda x: sign * cross_entropy(predict(x), labels), x)
        members = len(losses)
        selectors = jnp.broadcast_to(jnp.eye(members)[:, :, None], (members, *losses.shape))
        gradients = jax.vmap(lambda s: pullback(s.astype(losses.dtype))[0])(selectors)
        units = jax.vmap(jax.vmap(unit_l2))(gradients)
        return jnp.sum(losses, axis=0), jnp.sum(units, axis=0)

    return direction


def ensemble(
    predict: Predict, labels: Array, combine: str = "loss", *, targeted: bool = False
) -> Direction:
    """The direction against several members at once, `predict(x)` giving logits `[M, B, C]`.

    combine: where the members are joined. "loss" is their mean cross-entropy; "squares" the mean of
        its square, of each example (Wiedeman & Wang, eq. 10; their code squares means over the
        batch, by which one example's ascent would depend on the others). "min" is the least of the
        cross-entropies, all that counts where one right member is enough: a mean goes on raising
        the loss of members already fooled. "margin" is the least of the margins, for `attacks.cw`.
        "logits" and "probabilities" are the cross-entropy of their means (Dong et al. 2018),
        "gradients" the sum of unit gradients. With one member all but "margin" give that member's
        plain direction (up to a positive factor).
    labels: `[B]`, the true classes, or the targets when `targeted`.

    Raises:
        UserError: unknown `combine`.
    """
    sign = -1.0 if targeted else 1.0
    if combine == "gradients":
        return unit_gradients(predict, labels, sign)
    if combine not in _OBJECTIVES:
        raise UserError(f"combine {combine!r}: choose one of {', '.join(COMBINATIONS)}")
    objective = _OBJECTIVES[combine]
    return ascend(lambda x: objective(predict(x), labels, sign))
