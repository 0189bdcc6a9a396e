"""Correlation loss and R² between two networks' features (Wiedeman & Wang, Algorithm 1).

Both ask how well an affine map of `Z1 [N, D1]` predicts `Z2 [N, D2]`:

    SS_res = min_W ‖Z2 − [Z1·keep, 1] W‖² + mu ‖W‖²     (the intercept's row of W is free)
    L_R    = log(SS_tot + eps) − log(SS_res + eps)
    R²     = 1 − SS_res / SS_tot

W minimises SS_res, so by the envelope theorem its derivative drops out, and with it that of the
factorisation: ∂ SS_res / ∂ Z2 = 2 E and ∂ SS_res / ∂ Z1 = −2 E Wᵀ, E the error of the regression.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxadv.checks import check_choice
from jaxadv.errors import UserError
from jaxadv.losses.regression import (
    ETA,
    RIDGE,
    Regression,
    check_features,
    fit,
    options_like,
    regress,
)
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key

_EPS = 1e-3  # Algorithm 1: inside both logarithms

Total = Literal["centred", "uncentred"]
_TOTALS = ("centred", "uncentred")
Regress = Literal["forward", "backward", "both"]


def _total_sum_of_squares(z2: Array, total: Total = "centred") -> Array:
    """SS_tot: ‖Z2 − mean‖² (the usual R², and the published code) or ‖Z2‖² (the preprint)."""
    return jnp.sum(_deviations(z2, total) ** 2)


def _deviations(z2: Array, total: Total) -> Array:
    return z2 - z2.mean(0) if total == "centred" else z2


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _loss(total: Total, z1: Array, z2: Array, options: tuple[Array, ...]) -> Array:
    return _loss_and_gradients(total, z1, z2, options)[0]


def _loss_and_gradients(
    total: Total, z1: Array, z2: Array, options: tuple[Array, ...]
) -> tuple[Array, tuple[Array, Array]]:
    eta, eps, ridge = options
    weights, _, mu, error, pull = fit(z1, z2, eta, ridge)
    deviations = _deviations(z2, total)
    residual = jnp.sum(error**2) + mu * jnp.sum(weights**2) + eps
    whole = jnp.sum(deviations**2) + eps
    by_z2 = (2 / whole) * deviations - (2 / residual) * error
    return jnp.log(whole) - jnp.log(residual), ((2 / residual) * pull, by_z2)


def _loss_backward(
    total: Total, gradients: tuple[Array, Array], cotangent: Array
) -> tuple[Array | None, ...]:
    by_z1, by_z2 = gradients
    return cotangent * by_z1, cotangent * by_z2, None


_loss.defvjp(_loss_and_gradients, _loss_backward)


@in_float32
def correlation_loss(
    z1: Array,
    z2: Array,
    *,
    eta: float = ETA,
    eps: float = _EPS,
    ridge: float = RIDGE,
    total: Total = "centred",
) -> Array:
    """How well an affine map of `z1 [N, D1]` predicts `z2 [N, D2]`, `[]`; 0 if it does not at all.

    L_R = log(SS_tot + eps) − log(SS_res + eps) of Wiedeman & Wang (Patterns 2022, Algorithm 1 and
    eq. 5-8); the more is explained the larger it is. Differentiable in both arguments, once and in
    reverse mode, under `jit` and `vmap`. All-zero features give 0 and zero gradients, not NaN.

    eta: threshold of Algorithm 1's column selection, see `kept_columns`.
    eps: added inside both logarithms. ridge: relative to the largest singular value, see `regress`.
    total: SS_tot about the mean, "centred", as in the published code, or "uncentred" as in the
        preprint.

    >>> import jax
    >>> from jaxadv import losses
    >>> first, second = jax.random.normal(jax.random.key(0), (2, 400, 3))
    >>> alike, unlike = (losses.correlation_loss(first, other) for other in (first, second))
    >>> bool(alike > 5 > 0.1 > unlike)
    True

    Raises:
        UserError: if N ≤ D1 + 1, the shapes do not fit, or an option is none.
    """
    z1, z2 = check_features(z1, z2)
    check_choice("total", total, _TOTALS)
    options = options_like(z1, eta=eta, eps=eps, ridge=ridge)
    return _loss(total, z1, z2, options)


def sketch(features: Sequence[Array], width: int, key: Key) -> list[Array]:
    """Each member's features `[N, D_m]` on `width` random directions of its own, `[N, width]`.

    A regression on D features of N samples explains about D / N by chance, so killing features is
    the cheapest way to lower the loss, and N ≤ D + 1 is no regression at all. On a sketch of
    width ≪ N neither holds, and it costs (width / D)² of the factorisation.
    """
    keys = jax.random.split(key, len(features))
    return [
        z @ (jax.random.normal(k, (z.shape[1], width), z.dtype) / width**0.5)
        for z, k in zip(features, keys, strict=True)
    ]


def ensemble_correlation(
    features: Sequence[Array], *, regress: Regress = "forward", **options: Any
) -> Array:
    """Mean correlation loss `[]` over the pairs `i < j` of M members' features `[N, D_m]`.

    regress: "forward" regresses Z_j on Z_i (the paper's Z2 on Z1), "backward" Z_i on Z_j, and
        "both" is their mean.
    options: as for `correlation_loss`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> first = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> second = jnp.array([[0.0], [1.0], [1.0], [2.0]])  # R² is 0.9, so L_R is about log 10
    >>> round(float(losses.ensemble_correlation([first, second])), 1)
    2.3

    Raises:
        UserError: if there are no two members, or as `correlation_loss` does.
    """
    if isinstance(features, str) or not isinstance(features, Sequence | Array):
        raise UserError(f"a {type(features).__name__} for features: give a list, [N, D] a member")
    if len(features) < 2:
        raise UserError(f"correlation of {len(features)} member(s): give at least 2")
    forward = [(i, j) for j in range(len(features)) for i in range(j)]
    backward = [(j, i) for i, j in forward]
    check_choice("regress", regress, ("forward", "backward", "both"))
    pairs = {"forward": forward, "backward": backward, "both": forward + backward}[regress]
    losses = [correlation_loss(features[i], features[j], **options) for i, j in pairs]
    return jnp.mean(jnp.stack(losses))


def _explained(z1: Array, z2: Array, regression: Regression, total: Total) -> Array:
    error = z2 - regression.intercept - z1 @ regression.weights
    return 1 - jnp.sum(error**2) / _total_sum_of_squares(z2, total)


@in_float32
def r_squared(
    z1: Array,
    z2: Array,
    *,
    eta: float = ETA,
    ridge: float = RIDGE,
    total: Total = "centred",
) -> Array:
    """In-sample R² `[]` of `z2 [N, D2]` regressed on `z1 [N, D1]`; NaN where z2 is constant.

    R² = 1 − SS_res / SS_tot of Wiedeman & Wang (Patterns 2022, Algorithm 1). With D1 close to N it
    is inflated: independent Gaussian features with D = 784 and N = 1000 give about 0.79. Report
    `held_out_r_squared` beside it. Options are those of `correlation_loss`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> first = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> second = jnp.array([[0.0], [1.0], [1.0], [2.0]])
    >>> round(float(losses.r_squared(first, second)), 3)  # 1 − 0.2 / 2
    0.9

    Raises:
        UserError: if N ≤ D1 + 1, the shapes do not fit, or an option is none.
    """
    check_choice("total", total, _TOTALS)
    z1, z2 = check_features(z1, z2)
    return _explained(z1, z2, regress(z1, z2, eta=eta, ridge=ridge), total)


@in_float32
def held_out_r_squared(
    z1: Array, z2: Array, *, eta: float = ETA, ridge: float = RIDGE
) -> tuple[Array, Array]:
    """R² of a map fitted on the first half of `[N, D1]` and `[N, D2]`: in that half, in the other.

    Two numbers, `[]` each. The second, held out, is 0 where it would be negative; its SS_tot is
    about the second half's own mean. The order of the samples matters where the halves differ:
    MNIST's first 5,000 test images are the cleaner ones.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> first = jnp.array([[0.0], [1.0], [2.0], [3.0], [0.0], [1.0], [2.0], [3.0]])
    >>> second = jnp.array([[0.0], [1.0], [1.0], [2.0], [0.0], [1.0], [2.0], [3.0]])
    >>> inside, outside = losses.held_out_r_squared(first, second)
    >>> round(float(inside), 2), round(float(outside), 2)
    (0.9, 0.64)

    Raises:
        UserError: if half of N is ≤ D1 + 1, the shapes do not fit, or an option is none.
    """
    z1, z2 = check_features(z1, z2)
    half = len(z1) // 2
    regression = regress(z1[:half], z2[:half], eta=eta, ridge=ridge)
    inside = _explained(z1[:half], z2[:half], regression, "centred")
    outside = _explained(z1[half:], z2[half:], regression, "centred")
    return inside, jnp.maximum(0, outside)
