"""The Cholesky factor of the normal equations, and Algorithm 1's columns from its pivots.

On trained features it is CholeskyQR2 (Yamamoto et al. 2015): a second factor, of QᵀQ, mends what
rounding did to the first.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxadv.linalg import inverse_cholesky
from jaxadv.losses.least_squares.problem import Problem, absolute_ridge, on


class Factor(NamedTuple):
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


_START, _SELECT, _REDUCE, _SIMPLE, _CAREFUL = range(5)


def factorised(problem: Problem) -> tuple[Factor, Array]:
    """The factor to solve with, and whether it is that of well-conditioned features.

    Trained features get CholeskyQR2: the factor of QᵀQ gives the pivots that a QR of Z1 would
    give. If these drop columns, what is left is factorised again.
    """
    z1, varying = problem.z1, problem.varying
    width, dtype = z1.shape[1], z1.dtype

    def start(factor: Factor, inverse: Array, pivots: Array) -> tuple[Factor, Array]:
        inverse = on(varying, inverse)
        doubtful, rounding = _doubts(problem, factor.mu, inverse, pivots)
        factor = factor._replace(inverse=inverse, pivots=pivots, rounding=rounding)
        factor = lax.cond(doubtful, lambda f: _orthonormal(f, z1), lambda f: f, factor)
        return factor, jnp.where(doubtful, _SELECT, _SIMPLE)

    def select(factor: Factor, second: Array, more: Array) -> tuple[Factor, Array]:
        uncentred = _uncentred_pivots(problem, second @ factor.inverse, factor.pivots * more)
        keep = uncentred > problem.eta * jnp.max(uncentred)
        return factor._replace(keep=keep), jnp.where(jnp.all(keep == varying), _CAREFUL, _REDUCE)

    def reduce(factor: Factor, inverse: Array, pivots: Array) -> tuple[Factor, Array]:
        factor = factor._replace(inverse=on(factor.keep, inverse), pivots=pivots)
        return _orthonormal(factor, z1), jnp.asarray(_CAREFUL)

    def step(state: tuple[Factor, Array]) -> tuple[Factor, Array]:
        factor, stage = state
        columns = factor.keep
        mu = lax.cond(stage == _SELECT, lambda: factor.mu, lambda: absolute_ridge(problem, columns))
        shift = jnp.where(stage == _SELECT, 0, mu)
        system = jnp.where(stage == _SELECT, factor.gram, on(columns, problem.gram))
        found = inverse_cholesky(system + jnp.diag(jnp.where(columns, shift, 1)))
        return lax.switch(stage, [start, select, reduce], factor._replace(mu=mu), *found)

    nothing = jnp.zeros((), dtype)
    square = jnp.zeros((width, width), dtype)
    begun = Factor(square, square[0], varying, nothing, jnp.zeros_like(z1), square, nothing)
    factor, stage = lax.while_loop(lambda s: s[1] < _SIMPLE, step, (begun, jnp.asarray(_START)))
    return factor, stage == _SIMPLE


def _orthonormal(factor: Factor, z1: Array) -> Factor:
    """The factor with Q and its Gram matrix."""
    q = z1 @ factor.inverse.T
    return factor._replace(q=q, gram=q.T @ q)


def _doubts(problem: Problem, mu: Array, inverse: Array, pivots: Array) -> tuple[Array, Array]:
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


def _uncentred_pivots(problem: Problem, inverse: Array, pivots: Array) -> Array:
    """|R_ii| of the features as they are, from the inverse factor and pivots of the centred ones.

    With p = √n R⁻ᵀ mean, the Cholesky factor of I + p pᵀ has the diagonal √(t_i / t_{i−1}),
    t_i = 1 + p_1² + … + p_i².
    """
    p = len(problem.z1) ** 0.5 * (inverse @ problem.mean)
    t = 1 + jnp.tri(len(p), dtype=p.dtype) @ p**2
    return jnp.where(problem.varying, pivots * jnp.sqrt(t / (t - p**2)), 0)
