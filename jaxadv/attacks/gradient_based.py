"""The gradient-based attacks of the literature, each a setting of `Attack`.

Radii and steps are in units of the image range, numbers or one an example `[B]`; `options` are more
of `Attack`'s: `bounds`, `transform`, `random_start`.
"""

from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import optax

from jaxadv.attacks.attack import Attack, check_radius
from jaxadv.attacks.balls import Ball, l2, linf
from jaxadv.attacks.balls import ball as ball_of
from jaxadv.checks import check_single, check_whole
from jaxadv.types import Array


def fgsm(eps: Array | float, **options: Any) -> Attack:
    """Fast gradient sign method (Goodfellow et al. 2015, § 4): one signed step of `eps`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])  # images [B, 1] to two classes
    >>> x, y = jnp.array([[0.5]]), jnp.array([1])
    >>> print(attacks.fgsm(0.125)(attacks.untargeted(model, y), x))
    [[0.375]]

    Raises:
        UserError: numbers that no attack can have; see `Attack`.
    """
    return Attack(eps, eps, **options)


def fgm(eps: Array | float, **options: Any) -> Attack:
    """Fast gradient method: one unit-l2 step of `eps`, each example by its own norm.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-3.0, 3.0], [-4.0, 4.0]])
    >>> x, y = jnp.array([[0.5, 0.5]]), jnp.array([1])
    >>> x_adv = attacks.fgm(0.25)(attacks.untargeted(model, y), x)
    >>> [round(float(pixel), 3) for pixel in x_adv[0]]
    [0.35, 0.3]

    Raises:
        UserError: numbers that no attack can have; see `Attack`.
    """
    return Attack(eps, eps, ball=l2, **options)


def pgd(
    eps: Array | float,
    step_size: Array | float,
    steps: int = 40,
    ball: Ball | str = linf,
    **options: Any,
) -> Attack:
    """Projected gradient descent (Madry et al. 2018, § 2.1), begun uniformly in the ball.

    ball: of `attacks.BALLS`, by name or itself.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> x, y = jnp.array([[0.5]]), jnp.array([1])
    >>> keys = attacks.example_keys(jax.random.key(0), [0])  # of the random start
    >>> print(attacks.pgd(0.125, 0.0625)(attacks.untargeted(model, y), x, keys))
    [[0.375]]

    Raises:
        UserError: numbers that no attack can have; see `Attack`.
    """
    return Attack(eps, step_size, steps, ball_of(ball), **{"random_start": True, **options})


def igs(eps: Array | float, steps: int = 10, ball: Ball | str = linf, **options: Any) -> Attack:
    """Iterative gradient sign (Kurakin et al. 2016): `steps` steps of eps / steps, no random start.

    Adam et al. lower the true class's probability, whose gradient is that of the cross-entropy but
    for a negative factor: its sign is that of `attacks.untargeted`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> x, y = jnp.array([[0.5]]), jnp.array([1])
    >>> print(attacks.igs(0.25, steps=4)(attacks.untargeted(model, y), x))
    [[0.25]]

    Raises:
        UserError: if there is no step, or numbers that no attack can have; see `Attack`.
    """
    check_whole("steps", steps, 1)
    check_radius("eps", eps)
    return Attack(eps, jnp.asarray(eps) / steps, steps, ball_of(ball), **options)


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
    eps: Array | float,
    steps: int = 10,
    decay: float = 1.0,
    ball: Ball | str = linf,
    **options: Any,
) -> Attack:
    """Momentum iterative FGSM (Dong et al. 2018, Algorithm 1): `igs` along decayed momentum.

    decay: the share of the gathered gradient that a step keeps, μ; each new one has unit l1 norm.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> model = lambda x: x @ jnp.array([[-1.0, 1.0]])
    >>> x, y = jnp.array([[0.5]]), jnp.array([1])
    >>> print(attacks.mi_fgsm(0.25, steps=4)(attacks.untargeted(model, y), x))
    [[0.25]]

    Raises:
        UserError: as `igs`; a decay that is no finite number of at least 0.
    """
    check_single("decay", decay, "at least 0 and finite; 1 keeps every gradient alike")
    return igs(eps, steps, ball, transform=_momentum(float(decay)), **options)
