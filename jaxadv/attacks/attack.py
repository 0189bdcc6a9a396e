"""One attack: projected steepest ascent, of which `gradient_based` has the settings."""

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxadv.attacks.balls import Ball, linf
from jaxadv.attacks.balls import ball as ball_of
from jaxadv.attacks.directions import Direction
from jaxadv.attacks.draws import by_step
from jaxadv.attacks.flags import Flags, first_flags, followed, raised, warn
from jaxadv.attacks.inputs import (
    Bounds,
    check_keys,
    checked_images,
    each,
    fixed_bounds,
    limits,
)
from jaxadv.checks import check_flag, check_key, check_number, check_whole, numbers
from jaxadv.compilation import repeated
from jaxadv.errors import UserError
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key


def example_keys(key: Key, indices: Array) -> Key:
    """One key an example, by its index `[B]` in the data set.

    Results then depend neither on the batch size nor on the order or the device count.

    >>> import jax
    >>> from jaxadv import attacks
    >>> key = jax.random.key(0)
    >>> both, alone = attacks.example_keys(key, [5, 7]), attacks.example_keys(key, [7])
    >>> bool(both[1] == alone[0]), bool(both[0] == alone[0])
    (True, False)

    Raises:
        UserError: if `key` is no typed key, or the indices are no whole numbers `[B]`.
    """
    check_key(key)
    indices = jnp.asarray(numbers("indices", indices, "give whole numbers [B]"))
    if indices.ndim != 1 or not jnp.issubdtype(indices.dtype, jnp.integer):
        raise UserError(
            f"indices of shape {indices.shape} and type {indices.dtype}: give whole numbers [B]"
        )
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(indices)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Attack:
    """Projected steepest ascent in a norm ball, clipped to the image range.

        start:    x_0 = x, or uniform in the ball when `random_start`
        step:     x_{t+1} = clip(x + project(x_t + step_size · steepest(transform(ascent)) − x))

    `transform` is any Optax gradient transformation, applied to each example alone: the identity
    gives PGD, `optax.trace` momentum. `eps` and `step_size` are numbers, or one an example `[B]`,
    in units of the image range, and traced: a sweep over them does not recompile, and `vmap` over
    them runs it in one program.

    Call `attack(direction, x, keys) -> x_adv` with float images `x [B, …]` inside `bounds`,
    `direction` from `attacks.directions` or your own, and `keys [B]` from `example_keys`, needed
    for a random start and for a direction that draws (`attacks.draws`). `bounds` are `(low, high)`,
    numbers or one each a channel, as normalised images need them. Half precision comes back as
    float32.

    The result keeps `|x_adv − x| ≤ eps` to the rounding of float32 (1e-7 for images in [0, 1]) and
    `bounds` exactly; eps 0 is the identity; where the gradient is zero the step is zero, and where
    it is not finite that pixel stands still. `flagged` tells of how many examples that was so, and
    a call outside `jit` warns.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])  # images [B, 1] to two classes
    >>> x, y = jnp.array([[0.5]]), jnp.array([1])
    >>> attack = attacks.Attack(eps=0.25, step_size=0.125, steps=4)
    >>> print(attack(attacks.untargeted(model, y), x))  # four steps, no farther than the ball
    [[0.25]]

    Raises:
        UserError: numbers that no attack can have; when called, images outside the bounds or of
            another type, no direction, no keys for a random start or a direction that draws.
    """

    eps: Array | float
    step_size: Array | float
    steps: int = field(default=1, metadata={"static": True})
    ball: Ball = field(default=linf, metadata={"static": True})
    transform: optax.GradientTransformation = field(
        default=optax.identity(), metadata={"static": True}
    )
    random_start: bool = field(default=False, metadata={"static": True})
    bounds: Bounds = field(default=(0.0, 1.0), metadata={"static": True})

    def __post_init__(self) -> None:
        check_radius("eps", self.eps)
        check_radius("step_size", self.step_size)
        check_whole("steps", self.steps, 0)
        check_flag("random_start", self.random_start)
        if not isinstance(self.transform, optax.GradientTransformation):
            raise UserError(
                f"transform {self.transform}: give an Optax transformation, optax.trace(1.0) say"
            )
        object.__setattr__(self, "ball", ball_of(self.ball))
        object.__setattr__(self, "bounds", fixed_bounds(self.bounds))

    def __call__(self, direction: Direction, x: Array, keys: Key | None = None) -> Array:
        """Perturb `x [B, …]`; see the class."""
        images, flags = self.flagged(direction, x, keys)
        warn(flags)
        return images

    @in_float32
    def flagged(
        self, direction: Direction, x: Array, keys: Key | None = None
    ) -> tuple[Array, Flags]:
        """Perturb `x [B, …]`; beside the images what the attack met on the way, `[B]` each."""
        if not callable(direction):
            kind = type(direction).__name__
            raise UserError(f"a {kind} for a direction: call attack(direction, x, keys)")
        x = checked_images(x, self.bounds)
        at = by_step(direction, keys, len(x))
        eps, step_size = each(self.eps, "eps", x), each(self.step_size, "step_size", x)
        radius = jnp.maximum(eps - self._slack(x), 0)

        def step(number: Array | int, carry: tuple[Array, Any, Flags]) -> tuple[Array, Any, Flags]:
            x_adv, state, flags = carry
            _, ascent, now = followed(at(number), x_adv)
            ascent, state = jax.vmap(self.transform.update)(ascent, state)
            moved = x_adv + step_size * jax.vmap(self.ball.steepest)(ascent)
            return self._inside(moved, x, radius), state, raised(flags, now)

        start = self._start(x, keys, eps)
        carry = start, jax.vmap(self.transform.init)(x), first_flags(x, *limits(self.bounds, x))
        images, _, flags = repeated(step, carry, self.steps)
        return images, flags

    def _slack(self, x: Array) -> Array:
        """By how much rounding `x` and what is added to it can leave the ball, `[B, 1, …]`."""
        largest = max(float(np.max(np.abs(limit))) for limit in self.bounds)
        most = jnp.maximum(
            jnp.max(jnp.abs(x), axis=tuple(range(1, x.ndim)), keepdims=True), largest
        )
        return self.ball.slack(math.prod(x.shape[1:])) * jnp.finfo(x.dtype).eps / 4 * most

    def _inside(self, moved: Array, x: Array, radius: Array) -> Array:
        """`moved [B, …]` brought back into the ball about `x` and into the bounds.

        A pixel of `x` that is outside these, which under `jit` nobody can refuse, may stay there:
        clipped, it would leave the ball.
        """
        low, high = limits(self.bounds, x)
        perturbation = jax.vmap(self.ball.project)(moved - x, radius)
        return jnp.clip(x + perturbation, jnp.minimum(low, x), jnp.maximum(high, x))

    def _start(self, x: Array, keys: Key | None, eps: Array) -> Array:
        if not self.random_start:
            return x
        check_keys(keys, len(x), "a random start")
        sample = jax.vmap(lambda key, eps: self.ball.sample(key, x.shape[1:], eps))(keys, eps)
        low, high = limits(self.bounds, x)
        return jnp.clip(x + sample.astype(x.dtype), jnp.minimum(low, x), jnp.maximum(high, x))


def check_radius(name: str, value: Any) -> None:
    """Raise `UserError` if a concrete radius or step is negative or not finite."""
    check_number(name, value, "a radius is at least 0 and finite, in units of the image range")
