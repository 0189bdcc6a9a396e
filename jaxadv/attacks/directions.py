"""Directions: what an attack ascends.

A direction maps images `x [B, …]` to `(value [B], ascent [B, …])`. Per-example objectives are
summed, never averaged, before the gradient is taken, so one example's ascent depends on no other.
Ensembles differ from single networks only here.

A direction of your own may draw by each example's key: see `attacks.draws`.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.attacks.draws import taking_as
from jaxadv.attacks.problem import Problem
from jaxadv.checks import check_function, numbers
from jaxadv.errors import UserError
from jaxadv.models.functions import plain_function
from jaxadv.types import Array, Predict

Direction: TypeAlias = Callable[..., tuple[Array, Array]]
"""What an attack climbs: images `x [B, …]` to a value each `[B]`, and to what is ascended `[B, …]`.

It may take `key` and `step` (`attacks.draws`).

>>> import jax.numpy as jnp
>>> from jaxadv import attacks
>>> def brighter(x):  # one of your own
...     return x.sum(axis=-1), jnp.ones_like(x)
>>> print(attacks.fgsm(0.125)(brighter, jnp.array([[0.5, 0.25]])))
[[0.625 0.375]]
"""
Objective: TypeAlias = Callable[..., Array]  # images [B, …] to values [B], to be raised


def ascend(objective: Objective) -> Direction:
    """The direction that raises a per-example objective `x [B, …] -> [B]` by its gradient.

    It takes `key` and `step` if the objective does.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> bright = attacks.ascend(lambda x: x.sum(axis=-1))
    >>> print(*bright(jnp.array([[0.25, 0.5]])))
    [0.75] [[1. 1.]]

    Raises:
        UserError: if it is no function; when applied, if it gives no numbers.
    """
    wanted = "a function from images to values [B]"
    check_function("an objective", objective, wanted)

    def direction(x: Array, **drawn: Any) -> tuple[Array, Array]:
        def total(x: Array) -> tuple[Array, Array]:
            values = numbers("values of the objective", objective(x, **drawn), f"give {wanted}")
            return jnp.sum(values), values

        (_, values), gradient = jax.value_and_grad(total, has_aux=True)(x)
        return values, gradient

    return taking_as(direction, objective)


def _alone(predict: Any) -> Predict:
    """One network as an ensemble of one, `[1, B, C]`."""
    function = plain_function(predict)

    def members(x: Array) -> Array:
        logits = function(x)
        if getattr(logits, "ndim", 2) != 2:
            raise UserError(
                f"logits of shape {logits.shape}: one network's are [B, classes]; for several "
                "members' [M, B, classes] use attacks.joint"
            )
        return logits[None] if hasattr(logits, "ndim") else logits

    return members


def untargeted(predict: Predict, labels: Array) -> Problem:
    """Away from the true `labels [B]`: raises the cross-entropy of `predict(x) [B, C]`.

    The value is minus the log odds of the label, which grows as the cross-entropy does.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> value, ascent = attacks.untargeted(model, jnp.array([1]))(jnp.array([[0.5]]))
    >>> print(value, ascent)  # minus the log odds of class 1, and its gradient
    [-1.] [[-2.]]

    Raises:
        UserError: labels that are no class indices; when applied, if the model returns no logits.
    """
    return Problem(_alone(predict), labels, "min")


def targeted(predict: Predict, targets: Array) -> Problem:
    """Towards `targets [B]`: lowers the cross-entropy to them; the value is their log odds.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> value, ascent = attacks.targeted(model, jnp.array([0]))(jnp.array([[0.5]]))
    >>> print(value, ascent)
    [-1.] [[-2.]]

    Raises:
        UserError: targets that are no class indices; when applied, if the model returns no logits.
    """
    return Problem(_alone(predict), targets, "min", targeted=True)


def margin(predict: Predict, labels: Array) -> Problem:
    """Raises the margin by which another class than `labels [B]` leads, in units of the logits.

    That is max over j ≠ y of z_j − z_y: f_6 of Carlini & Wagner (2017), not cut off.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> value, ascent = attacks.margin(model, jnp.array([1]))(jnp.array([[0.5]]))
    >>> print(value, ascent)  # class 0 trails by 1
    [-1.] [[-2.]]

    Raises:
        UserError: labels that are no class indices; when applied, if the model returns no logits.
    """
    return Problem(_alone(predict), labels, "margin")


def resembling(features: Callable[[Array], Array], wanted: Array) -> Direction:
    """Towards images whose `features(x) [B, D]` are `wanted [B, D]`: lowers the mean squared error.

    Distillation as Yang et al. (2020, DVERGE, eq. 1) have it: what comes out looks like x, and to
    the network like another image.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> direction = attacks.resembling(lambda x: 2 * x, wanted=jnp.array([[1.0, 1.0]]))
    >>> print(*direction(jnp.array([[0.25, 0.5]])))
    [-0.125] [[ 1. -0.]]

    Raises:
        UserError: if these are no function and no numbers; when applied, if the two differ in
            shape.
    """
    check_function("features", features, "a function from images to [B, D]")
    wanted = numbers("wanted", wanted, "give the features [B, D] that images are to have")

    def unlike(x: Array) -> Array:
        found = numbers("features", features(x), "give a function from images to [B, D]")
        if np.shape(found) != np.shape(wanted) or np.ndim(found) != 2:
            raise UserError(
                f"features of shape {np.shape(found)}, wanted {np.shape(wanted)}: give [B, D] both"
            )
        return -jnp.mean((found - wanted) ** 2, axis=-1)

    return ascend(unlike)


def joint(
    predict: Predict, labels: Array, combine: str = "loss", *, targeted: bool = False
) -> Problem:
    """The direction against several members at once, `predict(x)` giving logits `[M, B, C]`.

    combine: where the members are joined. "loss" is their mean cross-entropy; "squares" the mean of
        its square, of each example (Wiedeman & Wang, eq. 10; their code squares means over the
        batch, by which one example's ascent would depend on the others). "min" is the least of the
        cross-entropies, all that counts where one right member is enough: a mean goes on raising
        the loss of members already fooled, and a member that is sure hardly weighs in it.
        "logits" and "probabilities" are the cross-entropy of their means (Dong et al. 2018),
        "gradients" the sum of unit-l2 gradients (Seiler et al.), in which no larger gradient
        outvotes the others. "margin" is the least of the members' margins; "logits margin" and
        "probabilities margin" are those of their means. With one member all but the margins give
        that member's plain direction, up to a positive factor.
    labels: `[B]`, the true classes, or the targets when `targeted`.

    The value rises with what is named, and does not saturate: of "loss" and "squares" it is the
    logarithm of the mean, of "gradients" the sum of minus the log odds, of cross-entropies else
    minus the log odds.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> slopes = jnp.array([[[-1.0, 1.0]], [[-3.0, 3.0]]])  # of two members
    >>> both = lambda x: jnp.stack([x @ slope for slope in slopes])
    >>> direction = attacks.joint(both, jnp.array([1]), 'gradients')
    >>> print(direction(jnp.array([[0.5]]))[1])  # two unit gradients
    [[-2.]]

    Raises:
        UserError: unknown `combine`; labels that are no class indices; when applied, if the model
            returns no logits for them.
    """
    return Problem(predict, labels, combine, targeted)
