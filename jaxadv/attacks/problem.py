"""What an attack is to bring about, and the ascent towards it.

Where only the direction of a gradient counts, that of the cross-entropy is taken from what does not
saturate. In float32 `softmax − 1` is 0 where the true class leads by 17 or more: a network that is
sure would look robust. Minus the log odds ascends the same way and never fades.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxadv.attacks.balls import unit_l2
from jaxadv.attacks.objectives import COMBINATIONS, OBJECTIVES, are_probabilities
from jaxadv.checks import check_choice, check_flag
from jaxadv.data.dataset import check_labels
from jaxadv.errors import UserError
from jaxadv.losses.classification import check_logits, log_odds
from jaxadv.models.functions import plain_function
from jaxadv.types import Array, Predict


class Ascent(NamedTuple):
    """A direction at images `x [B, …]`, and what of the logits looks odd.

    value: `[B]`. ascent: `[B, …]`. softmax: `[B]` bool, whether the logits are probabilities.
    """

    value: Array
    ascent: Array
    softmax: Array


@dataclass(frozen=True)
class Problem:
    """What an attack is to bring about: `labels [B]` missed by every member, or met if `targeted`.

    predict: `x [B, …] -> logits [M, B, C]`. combine: see `attacks.joint`.

    A direction, and more: an attack that needs another objective than its own derives it from
    here, as `attacks.cw` does the margin. `untargeted`, `targeted`, `margin` and `joint` make one.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[[-1.0, 1.0]]])  # of one member, [1, B, 2]
    >>> problem = attacks.Problem(model, jnp.array([1]), "min")
    >>> value, ascent = problem(jnp.array([[0.5]]))
    >>> print(ascent)  # darker images are less of class 1
    [[-2.]]
    >>> print(problem.by_margin()(jnp.array([[0.5]]))[0])  # the other class trails by 1
    [-1.]

    Raises:
        UserError: unknown `combine`; labels that are no class indices; when called, if the model
            returns no logits for them.
    """

    predict: Predict
    labels: Array
    combine: str = "loss"
    targeted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "predict", plain_function(self.predict))
        check_choice("combine", self.combine, COMBINATIONS)
        check_flag("targeted", self.targeted)
        check_labels(self.labels)

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """The value `[B]` and the ascent `[B, …]`."""
        value, ascent, _ = self.at(x)
        return value, ascent

    def at(self, x: Array) -> Ascent:
        """The ascent at `x [B, …]`.

        Raises:
            UserError: if the model does not return logits for these labels.
        """
        if self.combine == "gradients":
            return self._unit_gradients(x)

        def total(x: Array) -> tuple[Array, tuple[Array, Array]]:
            logits = self._logits(x)
            values = OBJECTIVES[self.combine](logits, self.labels, self.sign)
            return jnp.sum(values), (values, are_probabilities(logits))

        (_, (values, odd)), gradient = jax.value_and_grad(total, has_aux=True)(x)
        return Ascent(values, gradient, odd)

    @property
    def sign(self) -> float:
        """1, or −1 where a loss is to be lowered."""
        return -1.0 if self.targeted else 1.0

    def by_margin(self) -> "Problem":
        """The same problem, its value the margin by which it is solved: above 0 where it is."""
        known = {"logits": "logits margin", "probabilities": "probabilities margin"}
        return replace(self, combine=known.get(self.combine, "margin"))

    def _logits(self, x: Array) -> Array:
        logits = self.predict(x)
        if getattr(logits, "ndim", 3) != 3:
            raise UserError(
                f"logits of shape {logits.shape}: several members' are [M, B, classes]; for one "
                "network's [B, classes] use attacks.untargeted, targeted or margin"
            )
        return check_logits(logits, self.labels)[0]

    def _unit_gradients(self, x: Array) -> Ascent:
        """Sum over members of each one's unit-l2 gradient."""

        def losses_of(x: Array) -> tuple[Array, Array]:
            logits = self._logits(x)
            return -self.sign * log_odds(logits, self.labels), are_probabilities(logits)

        losses, pullback, odd = jax.vjp(losses_of, x, has_aux=True)
        members = len(losses)
        selectors = jnp.broadcast_to(jnp.eye(members)[:, :, None], (members, *losses.shape))
        gradients = jax.vmap(lambda s: pullback(s.astype(losses.dtype))[0])(selectors)
        units = jax.vmap(jax.vmap(unit_l2))(gradients)
        return Ascent(jnp.sum(losses, axis=0), jnp.sum(units, axis=0), odd)
