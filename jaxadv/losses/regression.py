"""The affine map of one network's features that best predicts another's.

    min over W, b of  ‖Z2 − Z1 W − b‖² + mu ‖W‖²,   rows of W zero for columns not kept

`mu = (ridge · σ_max([Z1, 1]))²` over the kept columns, and `keep` are the independent columns of
Algorithm 1 (Wiedeman & Wang). Features of trained networks have condition numbers of 3e5 and
more; exact least squares then returns huge W, and gradients 16 times those of PyTorch's float32
`pinv`, which truncates singular values below `max(N, D) · 1.2e-7` of the largest.
`ridge = 1.2e-4` is that threshold at N = 1000.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import sequential_vmap
from jax.dtypes import canonicalize_dtype

from jaxadv.checks import check_single, numbers
from jaxadv.errors import UserError
from jaxadv.losses import least_squares
from jaxadv.losses.least_squares.fit import Fit
from jaxadv.precision import in_float32
from jaxadv.types import Array as Features

ETA = 5e-4  # Algorithm 1: a column is kept iff |R_ii| / max|R_ii| exceeds it
RIDGE = 1.2e-4  # relative to the largest singular value
_NARROW = 256  # features up to so many are not compacted: there is little to gain


class Regression(NamedTuple):
    """The affine map `z1 @ weights + intercept` that best predicts Z2 from Z1.

    weights: `[D1, D2]`, zero rows for dropped columns.
    intercept: `[D2]`.
    keep: `[D1]` bool, the columns Algorithm 1 keeps.
    mu: `[]`, the absolute ridge, (ridge · σ_max)².

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> line = losses.Regression(jnp.array([[2.0]]), jnp.array([1.0]), jnp.array([True]), 0.0)
    >>> (jnp.array([[3.0]]) @ line.weights + line.intercept).tolist()
    [[7.0]]
    """

    weights: Array
    intercept: Array
    keep: Array
    mu: Array


def check_regression(n: int, d: int) -> None:
    """Refuse to regress on `d` features of `n` samples if n ≤ d + 1, since any target would fit.

    >>> from jaxadv import losses
    >>> losses.check_regression(n=100, d=16)  # nothing to say
    >>> losses.check_regression(n=16, d=16)
    Traceback (most recent call last):
    jaxadv.errors.UserError: 16 samples for 16 features: a regression needs more than 17 samples...

    Raises:
        UserError: if so.
    """
    if n <= d + 1:
        raise UserError(
            f"{n} samples for {d} features: a regression needs more than {d + 1} samples, "
            f"so raise the batch size above {d + 1} or choose a narrower feature layer"
        )


def check_features(z1: Any, z2: Any) -> tuple[Features, Features]:
    """Two matrices `[N, D]` of one N, at least float32; not too few samples.

    Raises:
        UserError: if they are others.
    """
    z1, z2 = _floats(z1), _floats(z2)
    if z1.ndim != 2 or z2.ndim != 2 or z1.shape[0] != z2.shape[0]:
        raise UserError(
            f"features of shapes {z1.shape} and {z2.shape}: give two matrices [N, D] of one N"
        )
    if 0 in (*z1.shape, *z2.shape):
        raise UserError(f"features of shapes {z1.shape} and {z2.shape}: give at least one of each")
    check_regression(*z1.shape)
    return z1, z2


def _floats(z: Any) -> Features:
    """Features of at least float32: in half precision nothing can be factorised.

    Raises:
        UserError: if they are no numbers.
    """
    found = numbers("features", z, "give numbers [N, D]")
    wide = jnp.promote_types(found.dtype, jnp.float32)
    return found if found.dtype == wide else jnp.asarray(found, canonicalize_dtype(wide))


def options_like(z: Features, **options: Any) -> tuple[Array, ...]:
    """Numbers that a regression takes, in the type it is computed in.

    Raises:
        UserError: if one is no number of at least 0.
    """
    for name, value in options.items():
        check_single(name, value, "give a finite number, at least 0")
    return tuple(jnp.asarray(v, canonicalize_dtype(z.dtype)) for v in options.values())


def kept_columns(z: Features, eta: float = ETA) -> Array:
    """Which columns of `z [N, D]` are independent, a mask `[D]`, by Wiedeman & Wang's Algorithm 1.

    With R of the QR factorisation of z, column i is kept if |R_ii| is above `eta` times the
    largest of them.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> z = jnp.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [3.0, 6.0, 0.0], [4.0, 8.0, 0.0]])
    >>> losses.kept_columns(z).tolist()  # the second is twice the first
    [True, False, True]

    Raises:
        UserError: if `z` is no matrix of numbers, or `eta` no number of at least 0.
    """
    z = _floats(z)
    if z.ndim != 2 or 0 in z.shape:
        raise UserError(f"features of shape {z.shape}: give a matrix [N, D]")
    return least_squares.kept_columns(z, *options_like(z, eta=eta))


def _widths(width: int) -> list[int]:
    """Static widths to which the live columns are compacted; each is compiled, so few."""
    return [-(-width // 4), width] if width > _NARROW else [width]


def _fit(z1: Array, z2: Array, eta: Array, ridge: Array) -> Fit:
    """`least_squares.solve` on the live columns alone, gathered to the narrower of two widths.

    Trained networks have many exactly zero columns (98 of 784 kept in one run), and a
    factorisation costs the square of the width. Under `vmap` the problems are solved one after
    another, so that each takes its own width.
    """
    whole = z1.shape[1]
    live = jnp.any(z1 != 0, axis=0)
    order = jnp.argsort(~live, stable=True)
    places = jnp.argsort(order)

    def branch(width: int) -> Callable[[Array, Array], tuple[Fit, Array]]:
        def narrow(z1: Array, z2: Array) -> tuple[Fit, Array]:
            fit, solved = least_squares.solve(z1[:, order[:width]], z2, eta, ridge)
            missing = (0, whole - width)
            fit = fit._replace(
                weights=jnp.pad(fit.weights, (missing, (0, 0)))[places],
                keep=jnp.pad(fit.keep, missing)[places],
                pull=jnp.pad(fit.pull, ((0, 0), missing))[:, places],
            )
            return fit, solved

        return narrow if width < whole else lambda z1, z2: least_squares.solve(z1, z2, eta, ridge)

    widths = _widths(whole)
    index = jnp.searchsorted(jnp.asarray(widths), live.sum())
    fit, solved = lax.switch(index, [branch(width) for width in widths], z1, z2)
    return lax.cond(solved, lambda: fit, lambda: least_squares.solve_by_qr(z1, z2, eta, ridge))


# One function for all calls, so that eager ones find their compiled program again.
_fitted = sequential_vmap(jax.jit(_fit))


@in_float32
def fit(z1: Features, z2: Features, eta: Any = ETA, ridge: Any = RIDGE) -> Fit:
    """The regression of `z2 [N, D2]` on `z1 [N, D1]`; not differentiated.

    Raises:
        UserError: if N ≤ D1 + 1 or the shapes do not fit.
    """
    z1, z2 = check_features(z1, z2)
    options = options_like(z1, eta=eta, ridge=ridge)
    return _fitted(lax.stop_gradient(jnp.asarray(z1)), lax.stop_gradient(jnp.asarray(z2)), *options)


def regress(z1: Features, z2: Features, *, eta: float = ETA, ridge: float = RIDGE) -> Regression:
    """The affine map that best predicts `z2 [N, D2]` from `z1 [N, D1]`; not differentiated.

    eta: threshold of Algorithm 1's column selection, see `kept_columns`.
    ridge: relative to the largest singular value. 0 is exact least squares, except for columns
        whose centred pivot is below `N · 1.2e-7` of the largest: these are rounding, and their
        weight is 0.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> z1 = jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> found = losses.regress(z1, 2 * z1 + 1)
    >>> round(float(found.weights[0, 0]), 3), round(float(found.intercept[0]), 3)
    (2.0, 1.0)

    Raises:
        UserError: if N ≤ D1 + 1, the shapes do not fit, or an option is none.
    """
    z1, z2 = check_features(z1, z2)
    weights, keep, mu, _, _ = fit(z1, z2, eta, ridge)
    return Regression(weights, z2.mean(0) - z1.mean(0) @ weights, keep, mu)
