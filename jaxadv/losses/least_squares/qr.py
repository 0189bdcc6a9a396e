"""Column selection and solution by QR factorisations, for what normal equations cannot solve."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxadv.losses.least_squares.problem import Problem, Solution, absolute_ridge
from jaxadv.precision import in_float32
from jaxadv.types import Array as Features


@in_float32
def kept_columns(z: Features, eta: float | Array) -> Array:
    """Algorithm 1's mask `[D]` of independent columns: |R_ii| / max|R_ii| > eta, `R` of `qr(Z)`.

    The published code compares with max R_ii, without the absolute value; LAPACK may return
    negative diagonals, so here it is max|R_ii|. All-zero features keep nothing.

    >>> import jax.numpy as jnp
    >>> from jaxadv.losses.least_squares import kept_columns
    >>> z = jnp.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 1.0]])  # [N, D]
    >>> kept_columns(z, 5e-4).tolist()  # the second column is twice the first
    [True, False, True]
    """
    diagonal = jnp.abs(jnp.diagonal(jnp.linalg.qr(z, mode="r")))
    return diagonal > eta * jnp.max(diagonal)


def solved_by_qr(problem: Problem) -> Solution:
    """Selection by one QR factorisation and solution by another."""
    keep = kept_columns(problem.z1 + problem.mean, problem.eta)
    columns = keep & problem.varying
    mu = absolute_ridge(problem, keep)
    z1 = jnp.where(columns, problem.z1, 0)
    below = jnp.diag(jnp.where(columns, jnp.sqrt(mu), 1))
    q, r = jnp.linalg.qr(jnp.concatenate([z1, below]))
    pivots = jnp.abs(jnp.diagonal(r))
    noise = pivots <= len(z1) * jnp.finfo(r.dtype).eps * jnp.max(jnp.where(columns, pivots, 0))
    r = jnp.where(jnp.diag(noise & columns), 1e30, r)
    weights = jax.scipy.linalg.solve_triangular(r, q[: len(z1)].T @ problem.z2)
    weights = jnp.where(columns[:, None], weights, 0)
    return Solution(weights, problem.z2 - z1 @ weights, jnp.zeros((), z1.dtype), keep, mu)
