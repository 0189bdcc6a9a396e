"""One attack: projected steepest ascent. FGSM, FGM, IGS, PGD and MI-FGSM are settings of it."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxadv.attacks.balls import Ball, l2, linf
from jaxadv.attacks.directions import Direction
from jaxadv.errors import UserError
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key


def example_keys(key: Key, indices: Array) -> Key:
    """One key an example, by its index `[B]` in the data set.

    Results then depend neither on the batch size nor on the order or the device count.
    """
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(indices)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Attack:
    """Projected steepest ascent in a norm ball, clipped to the image range.

        start:    x_0 = x, or uniform in the ball when `random_start`
        step:     x_{t+1} = clip(x + project(x_t + step_size · steepest(transform(ascent)) − x))

    `transform` is any Optax gradient transformation, applied to each example alone: the identity
    gives PGD, `optax.trace` momentum. `eps` and `step_size` are traced: a sweep over them does not
    recompile, and `vmap` over them runs it in one program.

    Call `attack(direction, x, keys) -> x_adv` with `x [B, …]` inside `bounds`, `direction` from
    `attacks.directions`, and `keys [B]` from `example_keys` (needed for a random start only).
    The result keeps `|x_adv − x| ≤ eps` and `bounds`; eps 0 is the identity; where the gradient is
    zero the step is zero.
    """

    eps: Array | float
    step_size: Array | float
    steps: int = field(default=1, metadata={"static": True})
    ball: Ball = field(default=linf, metadata={"static": True})
    transform: optax.GradientTransformation = field(
        default=optax.identity(), metadata={"static": True}
    )
    random_start: bool = field(default=False, metadata={"static": True})
    bounds: tuple[float, float] = field(default=(0.0, 1.0), metadata={"static": True})

    def __post_init__(self) -> None:
        check_radius("eps", self.eps)
        check_radius("step_size", self.step_size)
        if not isinstance(self.steps, int | np.integer) or self.steps < 0:
            raise UserError(f"steps {self.steps}: give a whole number, 0 or more")

    @in_float32
    def __call__(self, direction: Direction, x: Array, keys: Key | None = None) -> Array:
        """Perturb `x [B, …]`; see the class."""
        x = jnp.asarray(x)

        def step(_: Array | int, carry: tuple[Array, Any]) -> tuple[Array, Any]:
            x_adv, state = carry
            _, ascent = direction(x_adv)
            ascent, state = jax.vmap(self.transform.update)(ascent, state)
            moved = x_adv + self.step_size * jax.vmap(self.ball.steepest)(ascent)
            return self.inside(moved, x), state

        carry = self._start(x, keys), jax.vmap(self.transform.init)(x)
        if self.steps == 1:
            return step(0, carry)[0]
        return lax.fori_loop(0, self.steps, step, carry)[0]

    def inside(self, moved: Array, x: Array) -> Array:
        """`moved [B, …]` brought back into the ball about `x` and into the bounds."""
        slack = self.ball.slack(math.prod(x.shape[1:])) * max(map(abs, self.bounds))
        radius = jnp.maximum(self.eps - slack, 0)
        perturbation = jax.vmap(self.ball.project, in_axes=(0, None))(moved - x, radius)
        return jnp.clip(x + perturbation, *self.bounds)

    def _start(self, x: Array, keys: Key | None) -> Array:
        if not self.random_start:
            return x
        if keys is None:
            raise UserError("a random start needs keys: pass attacks.example_keys(key, indices)")
        sample = jax.vmap(lambda key: self.ball.sample(key, x.shape[1:], self.eps))(keys)
        return jnp.clip(x + sample.astype(x.dtype), *self.bounds)


def check_radius(name: str, value: Any) -> None:
    """Raise `UserError` if a concrete radius or step is negative or not a number."""
    check_number(name, value, "a radius is at least 0, in units of the image range")


def check_number(name: str, value: Any, wanted: str, *, above: bool = False) -> None:
    """Raise `UserError` if a concrete number is negative, or 0 where it must be `above`.

    Traced values cannot be looked at, nor the placeholders that jax puts into pytrees.
    """
    if isinstance(value, jax.core.Tracer) or not isinstance(
        value, int | float | jax.Array | np.ndarray | np.generic
    ):
        return
    if not np.all(np.asarray(value) > 0 if above else np.asarray(value) >= 0):
        raise UserError(f"{name} {value}: {wanted}")


def fgsm(eps: Array | float, **settings: Any) -> Attack:
    """Fast gradient sign method (Goodfellow et al. 2015): one signed step of `eps`."""
    return Attack(eps, eps, **settings)


def fgm(eps: Array | float, **settings: Any) -> Attack:
    """Fast gradient method: one unit-l2 step of `eps`, each example by its own norm."""
    return Attack(eps, eps, ball=l2, **settings)


def pgd(
    eps: Array | float,
    step_size: Array | float,
    steps: int = 40,
    ball: Ball = linf,
    **settings: Any,
) -> Attack:
    """Projected gradient descent (Madry et al. 2018), begun uniformly in the ball."""
    return Attack(eps, step_size, steps, ball, **{"random_start": True, **settings})


def igs(eps: Array | float, steps: int = 10, ball: Ball = linf, **settings: Any) -> Attack:
    """Iterative gradient sign (Kurakin et al. 2016): `steps` steps of eps / steps, no random start.

    Adam et al. lower the true class's probability, whose gradient is that of the cross-entropy but
    for a negative factor: its sign is that of `directions.untargeted`.

    Raises:
        UserError: if there is no step.
    """
    if steps < 1:
        raise UserError(f"steps {steps}: give at least 1")
    return Attack(eps, jnp.asarray(eps) / steps, steps, ball, **settings)


def _unit_l1() -> optax.GradientTransformation:
    """Divide a gradient by its l1 norm (MI-FGSM, eq. 6)."""

    def scale(gradient: Array, _: Any = None) -> Array:
        norm = jnp.sum(jnp.abs(gradient))
        return jnp.where(norm > 0, gradient / jnp.where(norm > 0, norm, 1), 0)

    return optax.stateless(scale)


@lru_cache  # one object a decay: attacks that agree share one compiled program
def _momentum(decay: float) -> optax.GradientTransformation:
    return optax.chain(_unit_l1(), optax.trace(decay))


def mi_fgsm(
    eps: Array | float, steps: int = 10, decay: float = 1.0, ball: Ball = linf, **settings: Any
) -> Attack:
    """Momentum iterative FGSM (Dong et al. 2018): `igs` along decayed momentum."""
    return igs(eps, steps, ball, transform=_momentum(decay), **settings)
