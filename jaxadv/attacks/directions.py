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
from jaxadv.losses.classification import cross_entropy
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


def in_loss(predict: Predict) -> Callable[[Array, Array], Array]:
    """Joint objective: the members' mean cross-entropy, `[B]`."""
    return lambda x, y: jnp.mean(cross_entropy(predict(x), y), axis=0)


def in_squares(predict: Predict) -> Callable[[Array, Array], Array]:
    """Joint objective: the members' mean squared cross-entropy, `[B]`.

    Wiedeman & Wang, eq. 10, of each example; their code squares means over the batch, by which one
    example's ascent would depend on the others.
    """
    return lambda x, y: jnp.mean(cross_entropy(predict(x), y) ** 2, axis=0)


def in_least(predict: Predict) -> Callable[[Array, Array], Array]:
    """Joint objective: the least of the members' cross-entropies, `[B]`.

    All that counts against an ensemble of which one right member is enough: a mean goes on raising
    the loss of members already fooled.
    """
    return lambda x, y: jnp.min(cross_entropy(predict(x), y), axis=0)


def in_logits(predict: Predict) -> Callable[[Array, Array], Array]:
    """Joint objective: cross-entropy of the mean logits (Dong et al. 2018), `[B]`."""
    return lambda x, y: cross_entropy(jnp.mean(predict(x), axis=0), y)


def in_probabilities(predict: Predict) -> Callable[[Array, Array], Array]:
    """Joint objective: cross-entropy of the mean class probabilities, `[B]`."""

    def objective(x: Array, y: Array) -> Array:
        logits = predict(x)
        log_mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(len(logits))
        return -jnp.take_along_axis(log_mean, y[:, None], axis=-1)[:, 0]

    return objective


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


_OBJECTIVES = {
    "loss": in_loss,
    "squares": in_squares,
    "min": in_least,
    "logits": in_logits,
    "probabilities": in_probabilities,
}
COMBINATIONS = (*_OBJECTIVES, "gradients")


def ensemble(
    predict: Predict, labels: Array, combine: str = "loss", *, targeted: bool = False
) -> Direction:
    """The direction against several members at once, `predict(x)` giving logits `[M, B, C]`.

    combine: where the members are joined; "loss", "squares", "min", "logits", "probabilities" or
        "gradients". With one member each gives that member's plain direction (up to a positive
        factor).
    labels: `[B]`, the true classes, or the targets when `targeted`.

    Raises:
        UserError: unknown `combine`.
    """
    sign = -1.0 if targeted else 1.0
    if combine == "gradients":
        return unit_gradients(predict, labels, sign)
    if combine not in _OBJECTIVES:
        raise UserError(f"combine {combine!r}: choose one of {', '.join(COMBINATIONS)}")
    objective = _OBJECTIVES[combine](predict)
    return ascend(lambda x: sign * objective(x, labels))
