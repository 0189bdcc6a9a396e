"""The l2 attack of Carlini & Wagner (2017): the least perturbation that wins by a margin."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.attacks.attack import check_number
from jaxadv.attacks.balls import Ball, l2
from jaxadv.attacks.directions import Direction
from jaxadv.errors import UserError
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key

INSIDE = 0.999999  # of the way to the bounds, beyond which an image's arctanh is infinite


class _Found(NamedTuple):
    """The nearest image that won so far, `[B, …]`, and its distance `[B]`, infinite if none."""

    images: Array
    distances: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CarliniWagner:
    """Minimise ‖x' − x‖² + c · max(confidence − margin(x'), 0) over x' within the bounds.

    x' is a scaled tanh of what Adam moves, so that no clipping is needed. `c` is searched for each
    example alone: ten times as large while no image wins, then halfway between the largest that
    failed and the least that won. Of all images met that win by more than `confidence`, the nearest
    is kept; an example that no image won is returned as it came. No example ends the search early
    for another: results do not depend on the batch.

    Call `attack(direction, x) -> x_adv`, `x [B, …]` inside `bounds`; the direction's value must be
    a margin: `attacks.margin`, or `attacks.ensemble(…, "margin")`.
    """

    confidence: Array | float = 0.0
    steps: int = field(default=1000, metadata={"static": True})
    searches: int = field(default=9, metadata={"static": True})
    step_size: Array | float = 0.01
    first_constant: Array | float = 1e-3
    bounds: tuple[float, float] = field(default=(0.0, 1.0), metadata={"static": True})
    ball: Ball = field(
        default=l2, metadata={"static": True}
    )  # in which its perturbations are small

    def __post_init__(self) -> None:
        check_number("confidence", self.confidence, "at least 0, in units of the logits")
        check_number("step_size", self.step_size, "at least 0, a learning rate")
        check_number("first_constant", self.first_constant, "more than 0", above=True)
        if min(self.steps, self.searches) < 1:
            raise UserError(
                f"{self.steps} steps, {self.searches} searches: give at least 1 of each"
            )

    @in_float32
    def __call__(self, direction: Direction, x: Array, keys: Key | None = None) -> Array:
        """Perturb `x [B, …]`; see the class. `keys` are not used: nothing is random."""
        x = jnp.asarray(x)

        def search(_: Array, carry: tuple[_Found, Array, Array, Array]) -> Any:
            found, constants, low, high = carry
            found, won = self._descend(direction, x, constants, found)
            low, high = jnp.where(won, low, constants), jnp.where(won, constants, high)
            halfway = (low + high) / 2
            return found, jnp.where(jnp.isinf(high), constants * 10, halfway), low, high

        none = jnp.full(len(x), jnp.inf, x.dtype)
        first = jnp.full(len(x), self.first_constant, x.dtype)
        carry = _Found(x, none), first, jnp.zeros_like(none), none
        return lax.fori_loop(0, self.searches, search, carry)[0].images

    def _descend(
        self, direction: Direction, x: Array, constants: Array, found: _Found
    ) -> tuple[_Found, Array]:
        """The nearest image after Adam's steps at these constants `[B]`, and who won at all."""
        optimizer = optax.adam(self.step_size)
        each = (-1, *(1,) * (x.ndim - 1))
        low, high = self.bounds

        def step(_: Array, carry: tuple[Array, Any, _Found, Array]) -> Any:
            free, state, found, won = carry
            above, below = jax.nn.sigmoid(2 * free), jax.nn.sigmoid(-2 * free)
            images = low + (high - low) * above  # (1 + tanh) / 2, and its slope exact at the bounds
            margins, ascent = direction(images)
            distances = jax.vmap(self.ball.norm)(images - x)
            wins = margins > self.confidence
            nearer = wins & (distances < found.distances)
            found = _Found(
                jnp.where(nearer.reshape(each), images, found.images),
                jnp.where(nearer, distances, found.distances),
            )
            pull = jnp.where(margins < self.confidence, constants, 0).reshape(each) * ascent
            gradient = (2 * (images - x) - pull) * 2 * (high - low) * above * below
            updates, state = optimizer.update(gradient, state)
            return free + updates, state, found, won | wins

        free = jnp.arctanh(INSIDE * (2 * (x - low) / (high - low) - 1))
        carry = free, optimizer.init(free), found, jnp.zeros(len(x), bool)
        _, _, found, won = lax.fori_loop(0, self.steps, step, carry)
        return found, won


def cw(confidence: Array | float = 0.0, **settings: Any) -> CarliniWagner:
    """Carlini & Wagner's l2 attack with that confidence, in units of the logits."""
    return CarliniWagner(confidence, **settings)
