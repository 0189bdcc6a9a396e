"""One regression: both sides centred, its Gram matrix and its ridge, and what solves it."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

_ITERATIONS = 5  # of the power iteration for σ_max


class Problem(NamedTuple):
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


class Solution(NamedTuple):
    """Weights `[D1, D2]`, what they leave of Z2 `[N, D2]`, and the next refinement's size `[]`.

    keep: `[D1]`, the columns Algorithm 1 keeps. mu: `[]`.
    """

    weights: Array
    error: Array
    change: Array
    keep: Array
    mu: Array


def centred(z1: Array, z2: Array, eta: Array, ridge: Array) -> Problem:
    """The regression of `z2 [N, D2]` on `z1 [N, D1]` with a free intercept."""
    n, mean = len(z1), z1.mean(0)
    around = z1 - mean
    gram = around.T @ around
    variance = jnp.diagonal(gram)
    rounding = (n * jnp.finfo(gram.dtype).eps) ** 2 * n * mean**2
    nonzero, varying = variance + mean**2 > 0, variance > rounding
    return Problem(around, z2 - z2.mean(0), gram, mean, nonzero, varying, eta, ridge)


def absolute_ridge(problem: Problem, columns: Array) -> Array:
    """The mu `[]` of some of the columns: `(ridge · σ_max([Z1, 1]))²`."""
    means = jnp.append(jnp.where(columns, problem.mean, 0), 1)
    gram = jnp.pad(on(columns, problem.gram), (0, 1))
    uncentred = gram + len(problem.z1) * means[:, None] * means
    return problem.ridge**2 * _largest_eigenvalue(uncentred)


def on(columns: Array, matrix: Array) -> Array:
    """The matrix with zero rows and columns elsewhere."""
    return jnp.where(columns[:, None] & columns[None, :], matrix, 0)


def _largest_eigenvalue(a: Array) -> Array:
    """Of a positive matrix `[D, D]`, by power iteration."""
    a = a / (scale := jnp.sqrt(jnp.sum(a**2)))  # not below the eigenvalue: powers do not overflow
    vector = lax.fori_loop(0, _ITERATIONS, lambda _, v: a @ v, jnp.sqrt(jnp.diagonal(a)))
    return scale * (vector @ (a @ vector)) / (vector @ vector)
