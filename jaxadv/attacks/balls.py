"""Norm balls: where an attack may go, and which step in it is steepest.

Each works on one example; `Attack` maps them over a batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.types import Array, Key


class Ball(NamedTuple):
    """A norm ball about the origin of image space, as three functions of one example.

    project: `(perturbation, eps) -> perturbation` inside the ball.
    steepest: `(ascent) -> step` of unit norm that gains most to first order; 0 for a zero gradient.
    sample: `(key, shape, eps) -> perturbation`, uniform in the ball.
    norm: `(perturbation) -> []`.
    slack: `(dimension) -> radius` by which a point can leave the ball if each coordinate is rounded
        by 1, all the same way at worst.
    """

    name: str
    project: Callable[[Array, Array | float], Array]
    steepest: Callable[[Array], Array]
    sample: Callable[[Key, tuple[int, ...], Array | float], Array]
    norm: Callable[[Array], Array]
    slack: Callable[[int], float]


def _l2_norm(x: Array) -> Array:
    """‖x‖₂, scaled first so that tiny gradients do not underflow."""
    scale = jnp.max(jnp.abs(x))
    safe = jnp.where(scale > 0, scale, 1)
    return scale * jnp.sqrt(jnp.sum((x / safe) ** 2))


def unit_l2(x: Array) -> Array:
    """X / ‖x‖₂, and 0 where x is 0."""
    norm = _l2_norm(x)
    return jnp.where(norm > 0, x / jnp.where(norm > 0, norm, 1), 0)


def _l2_project(x: Array, eps: Array | float) -> Array:
    norm, radius = _l2_norm(x), eps * (1 - 1e-6)  # the norm itself is rounded
    return jnp.where(norm > radius, x * (radius / jnp.where(norm > 0, norm, 1)), x)


def _l2_sample(key: Key, shape: tuple[int, ...], eps: Array | float) -> Array:
    direction_key, radius_key = jax.random.split(key)
    dimension = 1
    for length in shape:
        dimension *= length
    radius = jax.random.uniform(radius_key) ** (1 / dimension)
    return eps * radius * unit_l2(jax.random.normal(direction_key, shape))


def _linf_sample(key: Key, shape: tuple[int, ...], eps: Array | float) -> Array:
    return eps * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)


linf = Ball(
    name="linf",
    project=lambda x, eps: jnp.clip(x, -eps, eps),
    steepest=jnp.sign,
    sample=_linf_sample,
    norm=lambda x: jnp.max(jnp.abs(x)),
    slack=lambda dimension: 0.0,
)

l2 = Ball(
    name="l2",
    project=_l2_project,
    steepest=unit_l2,
    sample=_l2_sample,
    norm=_l2_norm,
    slack=lambda dimension: dimension**0.5,
)

BALLS = {ball.name: ball for ball in (linf, l2)}


def ball(name: str | Ball) -> Ball:
    """The ball called `name`, "linf" or "l2"; a ball is itself.

    Raises:
        UserError: if there is none of that name.
    """
    if isinstance(name, Ball):
        return name
    if not isinstance(name, str) or name not in BALLS:
        raise UserError(f"ball {name!r}: choose one of {sorted(BALLS)}")
    return BALLS[name]
