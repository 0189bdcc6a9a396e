"""The l2 attack of Carlini & Wagner (2017): the least perturbation that wins by a margin."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxadv.attacks.balls import Ball, l2
from jaxadv.attacks.balls import ball as ball_of
from jaxadv.attacks.directions import Direction
from jaxadv.attacks.flags import Flags, first_flags, followed, raised, warn
from jaxadv.attacks.inputs import (
    Bounds,
    checked_images,
    each,
    fixed_bounds,
    limits,
)
from jaxadv.attacks.problem import Problem
from jaxadv.checks import check_number, check_whole
from jaxadv.errors import UserError
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key

# Of the way to the bounds that an image starts at most: at the bounds tanh is flat, and black and
# white pixels would not leave them within some hundred steps.
_INSIDE = 0.96


class _Found(NamedTuple):
    """The nearest image that won so far, `[B, …]`, and its distance `[B]`, infinite if none."""

    images: Array
    distances: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CarliniWagner:
    """Minimise ‖x' − x‖² + c · max(confidence − margin(x'), 0) over x' within the bounds.

    Carlini & Wagner (2017), section VI.A. x' is a scaled tanh of what Adam moves, so no
    clipping is needed. `c` is searched for each example alone: ten times as large while no image
    wins, then halfway between the largest that failed and the least that won. An image wins if its
    margin is above `confidence`; of all images met that win, the nearest is kept. An example that
    wins as it is, or for which no image won, is returned as it came. No example ends the search of
    another, so results do not depend on the batch.

    confidence, first_constant: in units of the logits, and the first `c`; numbers or `[B]`.
    steps, searches: Adam's steps for each `c`, and how many `c` are tried.
    step_size: Adam's learning rate, one number.
    bounds: `(low, high)` of the images, numbers or one each a channel.

    Call `attack(direction, x) -> x_adv` with float images `x [B, …]` inside `bounds`. The direction
    is one of `attacks.untargeted`, `targeted`, `margin` or `joint`: these have a margin.
    Directions of your own have none and are refused, those that draw among them. Half precision
    comes back as float32.

    >>> from jaxadv import attacks
    >>> attack = attacks.CarliniWagner(confidence=1.0)  # `attacks.cw` shows one at work
    >>> attack.steps, attack.searches, attack.ball.name
    (1000, 9, 'l2')

    Raises:
        UserError: numbers that no attack can have; when called, images outside the bounds or of
            another type, or a direction of which no margin is known.
    """

    confidence: Array | float = 0.0
    steps: int = field(default=1000, metadata={"static": True})
    searches: int = field(default=9, metadata={"static": True})
    step_size: Array | float = 0.01
    first_constant: Array | float = 1e-3
    bounds: Bounds = field(default=(0.0, 1.0), metadata={"static": True})
    ball: Ball = field(
        default=l2, metadata={"static": True}
    )  # in which its perturbations are small

    def __post_init__(self) -> None:
        check_number("confidence", self.confidence, "at least 0 and finite, in units of the logits")
        check_number("step_size", self.step_size, "at least 0 and finite, a learning rate")
        check_number("first_constant", self.first_constant, "more than 0", above=True)
        check_whole("steps", self.steps, 1)
        check_whole("searches", self.searches, 1)
        if ball_of(self.ball) is not l2:
            raise UserError(f"ball {ball_of(self.ball).name}: Carlini & Wagner's attack has l2")
        object.__setattr__(self, "ball", l2)
        object.__setattr__(self, "bounds", fixed_bounds(self.bounds))

    def __call__(self, direction: Direction, x: Array, keys: Key | None = None) -> Array:
        """Perturb `x [B, …]`; see the class. `keys` are not used: nothing is random."""
        images, flags = self.flagged(direction, x, keys)
        warn(flags)
        return images

    @in_float32
    def flagged(
        self, direction: Direction, x: Array, keys: Key | None = None
    ) -> tuple[Array, Flags]:
        """Perturb `x [B, …]`; beside the images what the attack met on the way, `[B]` each."""
        if not isinstance(direction, Problem):
            kind = getattr(direction, "__name__", type(direction).__name__)
            raise UserError(
                f"direction {kind}: Carlini & Wagner's attack needs a margin, which "
                "attacks.margin, untargeted, targeted and joint have, and draws nothing"
            )
        if np.shape(self.step_size) != ():
            raise UserError(f"step_size of shape {np.shape(self.step_size)}: give one number")
        x, problem = checked_images(x, self.bounds), direction.by_margin()
        first = each(self.first_constant, "first_constant", x).ravel()

        def search(_: Array, carry: tuple[_Found, Array, Array, Array, Flags]) -> Any:
            found, constants, low, high, flags = carry
            found, won, flags = self._descend(problem, x, constants, found, flags)
            low, high = jnp.where(won, low, constants), jnp.where(won, constants, high)
            halfway = (low + high) / 2
            return found, jnp.where(jnp.isinf(high), constants * 10, halfway), low, high, flags

        margins, _, met = followed(problem, x)
        flags = raised(met, first_flags(x, *limits(self.bounds, x)))
        none = jnp.full(len(x), jnp.inf, x.dtype)
        confidence = each(self.confidence, "confidence", x).ravel()
        found = _Found(x, jnp.where(margins > confidence, 0, none))
        carry = found, first, jnp.zeros_like(none), none, flags
        found, *_, flags = lax.fori_loop(0, self.searches, search, carry)
        return found.images, flags

    def _descend(
        self, problem: Problem, x: Array, constants: Array, found: _Found, flags: Flags
    ) -> tuple[_Found, Array, Flags]:
        """The nearest image after Adam's steps at these constants `[B]`, and who won at all."""
        confidence = each(self.confidence, "confidence", x).ravel()
        optimizer = optax.adam(jnp.asarray(self.step_size, x.dtype))
        across = (-1, *(1,) * (x.ndim - 1))
        low, high = limits(self.bounds, x)

        def step(_: Array, carry: tuple[Array, Any, _Found, Array, Flags]) -> Any:
            free, state, found, won, flags = carry
            above, below = jax.nn.sigmoid(2 * free), jax.nn.sigmoid(-2 * free)
            images = low + (high - low) * above  # (1 + tanh) / 2, and its slope exact at the bounds
            margins, ascent, now = followed(problem, images)
            distances = jax.vmap(self.ball.norm)(images - x)
            wins = margins > confidence
            nearer = wins & (distances < found.distances)
            found = _Found(
                jnp.where(nearer.reshape(across), images, found.images),
                jnp.where(nearer, distances, found.distances),
            )
            pull = jnp.where(margins < confidence, constants, 0).reshape(across) * ascent
            gradient = (2 * (images - x) - pull) * 2 * (high - low) * above * below
            updates, state = optimizer.update(gradient, state)
            return free + updates, state, found, won | wins, raised(flags, now)

        within = jnp.clip(2 * (x - low) / (high - low) - 1, -1, 1)
        free = jnp.arctanh(_INSIDE * within)
        carry = free, optimizer.init(free), found, jnp.zeros(len(x), bool), flags
        _, _, found, won, flags = lax.fori_loop(0, self.steps, step, carry)
        return found, won, flags


def cw(confidence: Array | float = 0.0, **options: Any) -> CarliniWagner:
    """Carlini & Wagner's l2 attack (2017) with that confidence, in units of the logits.

    options: the other fields of `CarliniWagner`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: 20 * (x - 0.5) @ jnp.array([[-1.0, 1.0]])
    >>> x, y = jnp.array([[0.75]]), jnp.array([1])
    >>> x_adv = attacks.cw(steps=200)(attacks.margin(model, y), x)
    >>> bool(0.45 < x_adv[0, 0] < 0.5)  # the nearest image that is taken for the other class
    True

    Raises:
        UserError: numbers that no attack can have.
    """
    return CarliniWagner(confidence, **options)
