"""A regression solved one way or the other, with what its gradients need."""

from typing import NamedTuple

from jax import Array

from jaxadv.losses.least_squares.cholesky_qr import factorised
from jaxadv.losses.least_squares.problem import Solution, centred
from jaxadv.losses.least_squares.qr import solved_by_qr
from jaxadv.losses.least_squares.refinement import TOLERANCE, solved


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


def solve(z1: Array, z2: Array, eta: Array, ridge: Array) -> tuple[Fit, Array]:
    """Ridge regression of `z2 [N, D2]` on those columns of `z1 [N, D1]` that Algorithm 1 keeps.

    eta: `[]`, the threshold of the selection. ridge: `[]`, relative to σ_max.

    Also whether it could be solved so; else `solve_by_qr` can.
    """
    problem = centred(z1, z2, eta, ridge)
    solution = solved(problem, *factorised(problem))
    return _fit(solution), solution.change <= TOLERANCE


def solve_by_qr(z1: Array, z2: Array, eta: Array, ridge: Array) -> Fit:
    """The same by two QR factorisations, at three times the cost; cannot fail.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv.losses.least_squares import solve_by_qr
    >>> z1, z2 = jnp.array([[0.0], [1.0], [2.0], [3.0]]), jnp.array([[1.0], [3.0], [5.0], [7.0]])
    >>> found = jax.jit(solve_by_qr)(z1, z2, eta=5e-4, ridge=0.0)
    >>> found.weights.round(3).tolist(), found.keep.tolist()  # z2 = 2 z1 + 1
    ([[2.0]], [True])
    """
    return _fit(solved_by_qr(centred(z1, z2, eta, ridge)))


def _fit(solution: Solution) -> Fit:
    weights, error, _, keep, mu = solution
    return Fit(weights, keep, mu, error, error @ weights.T)
