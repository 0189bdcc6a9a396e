"""Correlation loss and R² between two networks' features (Wiedeman & Wang, Algorithm 1).

Both ask how well an affine map of `Z1 [N, D1]` predicts `Z2 [N, D2]`:

    SS_res = min_W ‖Z2 − [Z1·keep, 1] W‖² + mu ‖W‖²     (the intercept's row of W is free)
    L_R    = log(SS_tot + eps) − log(SS_res + eps)
    R²     = 1 − SS_res / SS_tot

W minimises SS_res, so by the envelope theorem its derivative drops out: W is computed under
`stop_gradient` and only the residual is differentiated. No factorisation is.

`mu = (ridge · σ_max([Z1·keep, 1]))²`, held constant in the derivative. Features of trained networks
have condition numbers of 3e5 and more; exact least squares then returns huge W, and gradients 16
times those of PyTorch's float32 `pinv`, which truncates singular values below
`max(N, D) · 1.2e-7` of the largest. `ridge = 1.2e-4` is that threshold at N = 1000; 0 is exact, but
for columns whose centred pivot is below `N · 1.2e-7` of the largest: these are rounding, weight 0.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import sequential_vmap

from jaxadv.errors import UserError
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key

ETA = 5e-4  # Algorithm 1: a column is kept iff |R_ii| / max|R_ii| exceeds it
EPS = 1e-3  # Algorithm 1: inside both logarithms
RIDGE = 1.2e-4  # relative to the largest singular value

Total = Literal["centred", "uncentred"]
Direction = Literal["forward", "backward", "both"]


class Regression(NamedTuple):
    """The affine map of Z1 that best predicts Z2.

    weights: `[D1, D2]`, zero rows for dropped columns.
    intercept: `[D2]`.
    keep: `[D1]` bool, the columns Algorithm 1 keeps.
    mu: `[]`, the absolute ridge.
    """

    weights: Array
    intercept: Array
    keep: Array
    mu: Array


def check_regression(n: int, d: int) -> None:
    """Refuse to regress on `d` features of `n` samples if n ≤ d + 1: any target would fit.

    Raises:
        UserError: if so.
    """
    if n <= d + 1:
        raise UserError(
            f"{n} samples for {d} features: a regression needs more than {d + 1} samples, "
            f"so raise the batch size above {d + 1} or choose a narrower feature layer"
        )


def _check(z1: Array, z2: Array) -> None:
    if z1.ndim != 2 or z2.ndim != 2 or z1.shape[0] != z2.shape[0]:
        raise UserError(
            f"features of shapes {z1.shape} and {z2.shape}: give two matrices [N, D] of one N"
        )
    check_regression(*z1.shape)


def _kept(z: Array, eta: Array | float) -> Array:
    diagonal = jnp.abs(jnp.diagonal(jnp.linalg.qr(z, mode="r")))
    return diagonal > eta * jnp.max(diagonal)


@in_float32
def kept_columns(z: Array, eta: float = ETA) -> Array:
    """Algorithm 1's mask `[D]` of independent columns: |R_ii| / max|R_ii| > eta, `R` of `qr(Z)`.

    The published code compares with max R_ii, without the absolute value; LAPACK may return
    negative diagonals, so here it is max|R_ii|. All-zero features keep nothing.
    """
    return _kept(z, eta)


def _largest_singular_value(a: Array, iterations: int = 16) -> Array:
    """σ_max of `a [N, D]` by power iteration, begun at the column norms."""
    tiny = jnp.finfo(a.dtype).tiny

    def step(_: int, v: Array) -> Array:
        w = a.T @ (a @ v)
        return w / jnp.maximum(jnp.linalg.norm(w), tiny)

    v = lax.fori_loop(0, iterations, step, jnp.linalg.norm(a, axis=0))
    return jnp.linalg.norm(a @ v) / jnp.maximum(jnp.linalg.norm(v), tiny)


def _solve(z1: Array, z2: Array, eta: Array, ridge: Array) -> tuple[Array, Array, Array]:
    """Weights `[D1, D2]`, kept columns `[D1]` and mu `[]` for features of one static width.

    A free intercept is the same as centring. Shapes stay static: a dropped column is zeroed and
    given an identity row below the matrix that is factorised, so its weights come out zero.
    """
    keep = _kept(z1, eta)
    kept = jnp.where(keep, z1, 0)
    ones = jnp.ones((len(z1), 1), z1.dtype)
    mu = (ridge * _largest_singular_value(jnp.concatenate([kept, ones], axis=1))) ** 2

    below = jnp.diag(jnp.where(keep, jnp.sqrt(mu), 1))
    q, r = jnp.linalg.qr(jnp.concatenate([kept - kept.mean(0), below]))
    # A kept column that is constant vanishes once centred: its pivot is noise, its weight 0.
    pivot = jnp.abs(jnp.diagonal(r))
    noise = pivot <= len(z1) * jnp.finfo(r.dtype).eps * jnp.max(pivot)
    r = jnp.where(jnp.diag(noise & keep), 1e30, r)
    weights = jax.scipy.linalg.solve_triangular(r, q[: len(z1)].T @ (z2 - z2.mean(0)))
    return jnp.where(keep[:, None], weights, 0), keep, mu


def _widths(width: int) -> list[int]:
    """Static widths to which the live columns are compacted; each is compiled, so few."""
    return sorted({max(1, -(-width * share // 8)) for share in (2, 4, 8)})


def _regress(z1: Array, z2: Array, eta: Array, ridge: Array) -> Regression:
    """`_solve` on the live columns alone, gathered into the narrowest of three static widths.

    Trained networks have many exactly zero columns (98 of 784 kept in one run), and a
    factorisation costs the square of the width. Under `vmap` the problems are solved one after
    another, so that each takes its own width.
    """
    live = jnp.any(z1 != 0, axis=0)
    order = jnp.argsort(~live, stable=True)
    widths = _widths(z1.shape[1])

    def branch(width: int) -> Callable[[Array, Array], tuple[Array, Array, Array]]:
        def solve(z1: Array, z2: Array) -> tuple[Array, Array, Array]:
            columns = order[:width]
            weights, keep, mu = _solve(z1[:, columns], z2, eta, ridge)
            full = jnp.zeros((z1.shape[1], z2.shape[1]), z1.dtype).at[columns].set(weights)
            return full, jnp.zeros(z1.shape[1], bool).at[columns].set(keep), mu

        return solve

    index = jnp.searchsorted(jnp.asarray(widths), live.sum())
    weights, keep, mu = lax.switch(index, [branch(width) for width in widths], z1, z2)
    return Regression(weights, z2.mean(0) - z1.mean(0) @ weights, keep, mu)


# One function for all calls, so that eager ones find their compiled program again.
_solver = sequential_vmap(jax.jit(_regress))


@in_float32
def regress(z1: Array, z2: Array, *, eta: float = ETA, ridge: float = RIDGE) -> Regression:
    """The affine map that best predicts `z2 [N, D2]` from `z1 [N, D1]`; not differentiated.

    eta: column selection threshold. ridge: relative to σ_max; 0 is exact least squares.

    Raises:
        UserError: if N ≤ D1 + 1 or the shapes do not fit.
    """
    _check(z1, z2)
    settings = jnp.asarray(eta, z1.dtype), jnp.asarray(ridge, z1.dtype)
    return _solver(lax.stop_gradient(z1), lax.stop_gradient(z2), *settings)


def residual_sum_of_squares(z1: Array, z2: Array, regression: Regression) -> Array:
    """SS_res with the penalty, differentiable in both features at fixed regression."""
    error = (z2 - z2.mean(0)) - (z1 - z1.mean(0)) @ regression.weights
    return jnp.sum(error**2) + regression.mu * jnp.sum(regression.weights**2)


def total_sum_of_squares(z2: Array, total: Total = "centred") -> Array:
    """SS_tot: ‖Z2 − mean‖² (the usual R², and the published code) or ‖Z2‖² (the preprint)."""
    return jnp.sum((z2 - z2.mean(0)) ** 2 if total == "centred" else z2**2)


@in_float32
def correlation_loss(
    z1: Array,
    z2: Array,
    *,
    eta: float = ETA,
    eps: float = EPS,
    ridge: float = RIDGE,
    total: Total = "centred",
) -> Array:
    """L_R of `z2 [N, D2]` regressed on `z1 [N, D1]`, `[]`; 0 when nothing is predicted.

    Wiedeman & Wang, Algorithm 1 and eq. 5-8. Differentiable in both arguments, under `jit` and
    `vmap`. All-zero features give 0 and zero gradients, not NaN. Second derivatives are not those
    of L_R: the envelope theorem is used once.

    Raises:
        UserError: if N ≤ D1 + 1 or the shapes do not fit.
    """
    regression = regress(z1, z2, eta=eta, ridge=ridge)
    residual = residual_sum_of_squares(z1, z2, regression)
    return jnp.log(total_sum_of_squares(z2, total) + eps) - jnp.log(residual + eps)


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
    features: Sequence[Array], *, direction: Direction = "forward", **settings: Any
) -> Array:
    """Mean correlation loss over the pairs `i < j` of M members' features `[N, D_m]`.

    direction: "forward" regresses Z_j on Z_i (the paper's Z2 on Z1), "backward" Z_i on Z_j,
        "both" is their mean. settings: as for `correlation_loss`.
    """
    if len(features) < 2:
        raise UserError(f"correlation of {len(features)} member(s): give at least 2")
    forward = [(i, j) for j in range(len(features)) for i in range(j)]
    backward = [(j, i) for i, j in forward]
    if direction not in ("forward", "backward", "both"):
        raise UserError(f"direction {direction!r}: choose forward, backward or both")
    pairs = {"forward": forward, "backward": backward, "both": forward + backward}[direction]
    losses = [correlation_loss(features[i], features[j], **settings) for i, j in pairs]
    return jnp.mean(jnp.stack(losses))


def _explained(z1: Array, z2: Array, regression: Regression, total: Total) -> Array:
    error = z2 - regression.intercept - z1 @ regression.weights
    return 1 - jnp.sum(error**2) / total_sum_of_squares(z2, total)


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

    With D1 close to N it is inflated: independent Gaussian features with D = 784 and N = 1000 give
    about 0.79. Report `held_out_r_squared` beside it.
    """
    return _explained(z1, z2, regress(z1, z2, eta=eta, ridge=ridge), total)


@in_float32
def held_out_r_squared(
    z1: Array, z2: Array, *, eta: float = ETA, ridge: float = RIDGE
) -> tuple[Array, Array]:
    """R² of the map fitted on the first half of the samples: in that half, and in the other.

    The held-out value is floored at 0; its total is taken about the second half's own mean.
    Order matters where the halves differ: MNIST's first 5,000 test images are the cleaner ones.
    """
    half = len(z1) // 2
    regression = regress(z1[:half], z2[:half], eta=eta, ridge=ridge)
    inside = _explained(z1[:half], z2[:half], regression, "centred")
    outside = _explained(z1[half:], z2[half:], regression, "centred")
    return inside, jnp.maximum(0, outside)
