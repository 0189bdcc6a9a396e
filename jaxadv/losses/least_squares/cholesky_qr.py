"""The least squares behind the correlation loss, made of matrix products.

    min over W of  ‖Z2c − Z1c W‖² + mu ‖W‖²,   Z·c centred: the same as a free intercept

Every backend does matrix products at its full rate, factorisations at a fraction of it. So the
normal equations are solved by a Cholesky factor, on trained features by a second one besides, with
as many steps of iterative refinement as the residual asks for. What cannot be solved so takes a QR
factorisation, three times as dear.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxadv.linalg import inverse_cholesky
from jaxadv.precision import in_float32
from jaxadv.types import Array as Features

TOLERANCE = 5e-4  # of the weights, relative; refinement goes on until its next step is smaller
REFINEMENTS = 6  # each gains a factor of 30 and more where normal equations serve at all
ITERATIONS = 5  # of the power iteration for σ_max
PROBES = 8  # random combinations of the targets on which the next refinement is estimated


@in_float32
def kept_columns(z: Features, eta: float | Array) -> Array:
    """Algorithm 1's mask `[D]` of independent columns: |R_ii| / max|R_ii| > eta, `R` of `qr(Z)`.

    The published code compares with max R_ii, without the absolute value; LAPACK may return
    negative diagonals, so here it is max|R_ii|. All-zero features keep nothing.
    """
    diagonal = jnp.abs(jnp.diagonal(jnp.linalg.qr(z, mode="r")))
    return diagonal > eta * jnp.max(diagonal)


def _largest_eigenvalue(a: Array) -> Array:
    """Of a positive matrix `[D, D]`, by power iteration."""
    a = a / (scale := jnp.sqrt(jnp.sum(a**2)))  # not below the eigenvalue: powers do not overflow
    vector = lax.fori_loop(0, ITERATIONS, lambda _, v: a @ v, jnp.sqrt(jnp.diagonal(a)))
    return scale * (vector @ (a @ vector)) / (vector @ vector)


class _Problem(NamedTuple):
    """One regression, both sides centred.

    z1: `[N, D1]`. z2: `[N, D2]`. gram: `[D1, D1]`, Z1cᵀ Z1c.
    mean: `[D1]`, what was taken from Z1.
    nonzero, varying: `[D1]` bool; a column that is constant but for rounding predicts nothing.
    eta, ridge: `[]`.
    """

    z1: Array
    z2: Array
    gram: Array
    mean: Array
    nonzero: Array
    varying: Array
    eta: Array
    ridge: Array


def _problem(z1: Array, z2: Array, eta: Array, ridge: Array) -> _Problem:
    n, mean = len(z1), z1.mean(0)
    centred = z1 - mean
    gram = centred.T @ centred
    variance = jnp.diagonal(gram)
    rounding = (n * jnp.finfo(gram.dtype).eps) ** 2 * n * mean**2
    nonzero, varying = variance + mean**2 > 0, variance > rounding
    return _Problem(centred, z2 - z2.mean(0), gram, mean, nonzero, varying, eta, ridge)


def _mu(problem: _Problem, columns: Array) -> Array:
    """The absolute ridge `[]` for some of the columns: `(ridge · σ_max([Z1, 1]))²`."""
    means = jnp.append(jnp.where(columns, problem.mean, 0), 1)
    centred = jnp.pad(_on(columns, problem.gram), (0, 1))
    uncentred = centred + len(problem.z1) * means[:, None] * means
    return problem.ridge**2 * _largest_eigenvalue(uncentred)


def _uncentred_pivots(problem: _Problem, inverse: Array, pivots: Array) -> Array:
    """|R_ii| of the features as they are, from the inverse factor and pivots of the centred ones.

    With p = √n R⁻ᵀ mean, the Cholesky factor of I + p pᵀ has the diagonal √(t_i / t_{i−1}),
    t_i = 1 + p_1² + … + p_i².
    """
    p = len(problem.z1) ** 0.5 * (inverse @ problem.mean)
    t = 1 + jnp.tri(len(p), dtype=p.dtype) @ p**2
    return jnp.where(problem.varying, pivots * jnp.sqrt(t / (t - p**2)), 0)


def _on(columns: Array, matrix: Array) -> Array:
    """The matrix with zero rows and columns elsewhere."""
    return jnp.where(columns[:, None] & columns[None, :], matrix, 0)


def _doubts(problem: _Problem, mu: Array, inverse: Array, pivots: Array) -> tuple[Array, Array]:
    """Whether a column may have to be dropped, and by how much rounding moves the solution, `[]`.

    To first order a change δ of the Gram matrix moves R_ii² by the share δ ‖row i of L⁻¹‖²; here δ
    is the ridge and the rounding.
    """
    uncentred = _uncentred_pivots(problem, inverse, pivots)
    rounding = 8 * jnp.finfo(uncentred.dtype).eps * jnp.diagonal(problem.gram)
    changes = jnp.stack([jnp.full_like(rounding, mu), rounding], axis=1)
    by_ridge, by_rounding = (inverse**2 @ changes).T
    # Not so where the factor failed and all this is NaN.
    large = uncentred > 2 * problem.eta * jnp.max(uncentred)
    independent = large & (by_ridge + by_rounding < 0.1)
    return ~jnp.all(independent | ~problem.nonzero), jnp.max(by_rounding)


class _Factor(NamedTuple):
    """The inverse factor `L⁻¹ [D, D]` of `Z1cᵀ Z1c + mu` on some columns, zero on the others.

    pivots: `[D]`, the diagonal of L.
    keep: `[D]`, the columns Algorithm 1 keeps, as far as is known. mu: `[]`, for these.
    q: `[N, D]`, Z1c L⁻ᵀ, nearly orthonormal. gram: `[D, D]`, QᵀQ. Both zero where not asked for.
    rounding: `[]`, how far it moves the solution, at most and relative.
    """

    inverse: Array
    pivots: Array
    keep: Array
    mu: Array
    q: Array
    gram: Array
    rounding: Array


START, SELECT, REDUCE, SIMPLE, CAREFUL = range(5)


def _factorised(problem: _Problem) -> tuple[_Factor, Array]:
    """The factor to solve with, and whether it is that of well-conditioned features.

    Trained features get CholeskyQR2: the factor of QᵀQ gives the pivots that a QR of Z1 would
    give. If these drop columns, what is left is factorised again.
    """
    z1, varying = problem.z1, problem.varying
    width, dtype = z1.shape[1], z1.dtype

    def orthonormal(factor: _Factor) -> _Factor:
        q = z1 @ factor.inverse.T
        return factor._replace(q=q, gram=q.T @ q)

    def start(factor: _Factor, inverse: Array, pivots: Array) -> tuple[_Factor, Array]:
        inverse = _on(varying, inverse)
        doubtful, rounding = _doubts(problem, factor.mu, inverse, pivots)
        factor = factor._replace(inverse=inverse, pivots=pivots, rounding=rounding)
        factor = lax.cond(doubtful, orthonormal, lambda f: f, factor)
        return factor, jnp.where(doubtful, SELECT, SIMPLE)

    def select(factor: _Factor, second: Array, more: Array) -> tuple[_Factor, Array]:
        uncentred = _uncentred_pivots(problem, second @ factor.inverse, factor.pivots * more)
        keep = uncentred > problem.eta * jnp.max(uncentred)
        return factor._replace(keep=keep), jnp.where(jnp.all(keep == varying), CAREFUL, REDUCE)

    def reduce(factor: _Factor, inverse: Array, pivots: Array) -> tuple[_Factor, Array]:
        factor = factor._replace(inverse=_on(factor.keep, inverse), pivots=pivots)
        return orthonormal(factor), jnp.asarray(CAREFUL)

    def step(state: tuple[_Factor, Array]) -> tuple[_Factor, Array]:
        factor, stage = state
        columns = factor.keep
        mu = lax.cond(stage == SELECT, lambda: factor.mu, lambda: _mu(problem, columns))
        shift = jnp.where(stage == SELECT, 0, mu)
        system = jnp.where(stage == SELECT, factor.gram, _on(columns, problem.gram))
        found = inverse_cholesky(system + jnp.diag(jnp.where(columns, shift, 1)))
        return lax.switch(stage, [start, select, reduce], factor._replace(mu=mu), *found)

    nothing = jnp.zeros((), dtype)
    square = jnp.zeros((width, width), dtype)
    begun = _Factor(square, square[0], varying, nothing, jnp.zeros_like(z1), square, nothing)
    factor, stage = lax.while_loop(lambda s: s[1] < SIMPLE, step, (begun, jnp.asarray(START)))
    return factor, stage == SIMPLE


class _Solution(NamedTuple):
    """Weights `[D1, D2]`, what they leave of Z2 `[N, D2]`, and the next refinement's size `[]`.

    keep: `[D1]`, the columns Algorithm 1 keeps. mu: `[]`.
    """

    weights: Array
    error: Array
    change: Array
    keep: Array
    mu: Array


def _solved(problem: _Problem, factor: _Factor, simple: Array) -> _Solution:
    """W = L⁻ᵀ B⁻¹ L⁻¹ Z1ᵀ Z2.

    B = QᵀQ + mu L⁻¹L⁻ᵀ would be I but for the rounding δ of the Gram matrix, which large condition
    numbers magnify: B⁻¹ = I − δ, with an error of δ². For well-conditioned features it is I.
    """
    z1, z2, inverse = problem.z1, problem.z2, factor.inverse
    b = lax.cond(
        simple, lambda: factor.gram, lambda: factor.gram + factor.mu * (inverse @ inverse.T)
    )

    def upper(half: Array) -> Array:
        return inverse.T @ lax.cond(simple, lambda: half, lambda: 2 * half - b @ half)

    half = lax.cond(simple, lambda: inverse @ (z1.T @ z2), lambda: factor.q.T @ z2)
    keep = jnp.where(simple, problem.nonzero, factor.keep)
    change = jnp.where(simple, factor.rounding, jnp.inf)
    begun = _Solution(upper(half), z2, change, keep, factor.mu)
    solution = _refined(problem, begun, lambda right: upper(inverse @ right))
    # A column that is constant and not zero has a pivot, but not among the centred ones.
    usable = simple | (jnp.all(problem.nonzero == problem.varying) & jnp.any(keep))
    return solution._replace(change=jnp.where(usable, solution.change, jnp.inf))


def _refined(problem: _Problem, begun: _Solution, solve: Callable[[Array], Array]) -> _Solution:
    """Weights refined by `solve` until its next step is small.

    Only where that may be above TOLERANCE is it estimated, on a few random combinations of the
    targets, and the weights are refined if it is large.
    """
    z1, z2, mu = problem.z1, problem.z2, begun.mu
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (z2.shape[1], PROBES))
    probes = jnp.asarray(signs, z2.dtype)

    def estimate(weights: Array, error: Array) -> Array:
        left, probed = error @ probes, weights @ probes
        step = solve(z1.T @ left - mu * probed)
        return jnp.maximum(_ratio(step, probed), _ratio(z1 @ step, left))

    def refine(weights: Array, error: Array) -> tuple[Array, Array]:
        weights = weights + solve(z1.T @ error - mu * weights)
        return weights, z2 - z1 @ weights

    def step(state: tuple[_Solution, Array]) -> tuple[_Solution, Array]:
        solution, count = state
        change = estimate(solution.weights, solution.error)
        leave = lambda *unchanged: unchanged  # noqa: E731
        weights, error = lax.cond(
            change > TOLERANCE, refine, leave, solution.weights, solution.error
        )
        return solution._replace(weights=weights, error=error, change=change), count + 1

    def unfinished(state: tuple[_Solution, Array]) -> Array:
        return (state[0].change > TOLERANCE) & (state[1] < REFINEMENTS)

    begun = begun._replace(error=z2 - z1 @ begun.weights)
    return lax.while_loop(unfinished, step, (begun, jnp.asarray(0)))[0]


def _ratio(a: Array, b: Array) -> Array:
    """‖a‖ / ‖b‖, 0 where both are 0."""
    above, below = jnp.sum(a**2), jnp.sum(b**2)
    return jnp.where(above == 0, 0, jnp.sqrt(above / below))


def _by_qr(problem: _Problem) -> _Solution:
    """Selection by one QR factorisation and solution by another."""
    keep = kept_columns(problem.z1 + problem.mean, problem.eta)
    columns = keep & problem.varying
    mu = _mu(problem, keep)
    z1 = jnp.where(columns, problem.z1, 0)
    below = jnp.diag(jnp.where(columns, jnp.sqrt(mu), 1))
    q, r = jnp.linalg.qr(jnp.concatenate([z1, below]))
    pivots = jnp.abs(jnp.diagonal(r))
    noise = pivots <= len(z1) * jnp.finfo(r.dtype).eps * jnp.max(jnp.where(columns, pivots, 0))
    r = jnp.where(jnp.diag(noise & columns), 1e30, r)
    weights = jax.scipy.linalg.solve_triangular(r, q[: len(z1)].T @ problem.z2)
    weights = jnp.where(columns[:, None], weights, 0)
    return _Solution(weights, problem.z2 - z1 @ weights, jnp.zeros((), z1.dtype), keep, mu)


class Fit(NamedTuple):
    """A regression with what its gradients need.

    weights: `[D1, D2]`. keep: `[D1]`. mu: `[]`.
    error: `[N, D2]`, what of the centred Z2 is left.
    pull: `[N, D1]`, `error · weightsᵀ`; half of −∂ SS_res / ∂ Z1.
    """

    weights: Array
    keep: Array
    mu: Array
    error: Array
    pull: Array


def _fit(solution: _Solution) -> Fit:
    weights, error, _, keep, mu = solution
    return Fit(weights, keep, mu, error, error @ weights.T)


def solve(z1: Array, z2: Array, eta: Array, ridge: Array) -> tuple[Fit, Array]:
    """Ridge regression of `z2 [N, D2]` on those columns of `z1 [N, D1]` that Algorithm 1 keeps.

    Also whether it could be solved so; else `solve_by_qr` can.
    """
    problem = _problem(z1, z2, eta, ridge)
    solution = _solved(problem, *_factorised(problem))
    return _fit(solution), solution.change <= TOLERANCE


def solve_by_qr(z1: Array, z2: Array, eta: Array, ridge: Array) -> Fit:
    """The same by two QR factorisations, at three times the cost; cannot fail."""
    return _fit(_by_qr(_problem(z1, z2, eta, ridge)))
