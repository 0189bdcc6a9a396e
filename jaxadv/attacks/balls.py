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
    """A norm ball about the origin of image space, as functions of one example.

    Perturbations have the shape of one image, without a batch axis; radii are in units of the
    image range.

    name: "linf" or "l2", as `ball` and the rows of results have it.
    project: `(perturbation, eps) -> perturbation`, brought inside the ball of radius eps.
    steepest: `(ascent) -> step`, of unit norm, that gains most to first order. A zero gradient
        gives a zero step.
    sample: `(key, shape, eps) -> perturbation`, uniform in the ball.
    norm: `(perturbation) -> []`.
    slack: `(dimension) -> radius`, the furthest that a point can leave the ball if each coordinate
        is rounded by at most 1.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> attacks.l2.name, float(attacks.l2.norm(jnp.array([3.0, 4.0])))
    ('l2', 5.0)
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
"""The ball of the largest change of any pixel, ‖·‖∞.

>>> import jax.numpy as jnp
>>> from jaxadv import attacks
>>> attacks.linf.project(jnp.array([0.5, -0.125]), 0.25).tolist()
[0.25, -0.125]
"""

l2 = Ball(
    name="l2",
    project=_l2_project,
    steepest=unit_l2,
    sample=_l2_sample,
    norm=_l2_norm,
    slack=lambda dimension: dimension**0.5,
)
"""The ball of the Euclidean length of the whole change, ‖·‖₂.

>>> import jax.numpy as jnp
>>> from jaxadv import attacks
>>> [round(pixel, 3) for pixel in attacks.l2.project(jnp.array([3.0, 4.0]), 1.0).tolist()]
[0.6, 0.8]
"""

BALLS = {ball.name: ball for ball in (linf, l2)}
"""Every ball by its name.

>>> from jaxadv import attacks
>>> sorted(attacks.BALLS)
['l2', 'linf']
"""


def ball(name: str | Ball) -> Ball:
    """The ball called `name`, "linf" or "l2". What is a ball already comes back as it is.

    >>> from jaxadv import attacks
    >>> attacks.ball("l2") is attacks.l2
    True

    Raises:
        UserError: if there is none of that name.
    """
    if isinstance(name, Ball):
        return name
    if not isinstance(name, str) or name not in BALLS:
        raise UserError(f"ball {name!r}: choose one of {sorted(BALLS)}")
    return BALLS[name]
