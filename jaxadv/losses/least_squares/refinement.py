"""The solution by a Cholesky factor, refined until the next step would be small."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxadv.losses.least_squares.cholesky_qr import Factor
from jaxadv.losses.least_squares.problem import Problem, Solution

TOLERANCE = 5e-4  # of the weights, relative; refinement goes on until its next step is smaller
_REFINEMENTS = 6  # each gains a factor of 30 and more where normal equations serve at all
_PROBES = 8  # random combinations of the targets on which the next refinement is estimated


def solved(problem: Problem, factor: Factor, simple: Array) -> Solution:
    """W = L⁻ᵀ B⁻¹ L⁻¹ Z1ᵀ Z2; its `change` is above TOLERANCE where this will not do.

    B = QᵀQ + mu L⁻¹L⁻ᵀ would be I but for the rounding δ of the Gram matrix, which large condition
    numbers magnify: B⁻¹ = I − δ, with an error of δ². For well-conditioned features, `simple`, it
    is I.
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
    begun = Solution(upper(half), z2, change, keep, factor.mu)
    solution = _refined(problem, begun, lambda right: upper(inverse @ right))
    # A column that is constant and not zero has a pivot, but not among the centred ones.
    usable = simple | (jnp.all(problem.nonzero == problem.varying) & jnp.any(keep))
    return solution._replace(change=jnp.where(usable, solution.change, jnp.inf))


def _refined(problem: Problem, begun: Solution, solve: Callable[[Array], Array]) -> Solution:
    """Weights refined by `solve` until its next step is small.

    Only where that may be above TOLERANCE is it estimated, on a few random combinations of the
    targets, and the weights are refined if it is large.
    """
    z1, z2, mu = problem.z1, problem.z2, begun.mu
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (z2.shape[1], _PROBES))
    probes = jnp.asarray(signs, z2.dtype)

    def estimate(weights: Array, error: Array) -> Array:
        left, probed = error @ probes, weights @ probes
        step = solve(z1.T @ left - mu * probed)
        return jnp.maximum(_ratio(step, probed), _ratio(z1 @ step, left))

    def refine(weights: Array, error: Array) -> tuple[Array, Array]:
        weights = weights + solve(z1.T @ error - mu * weights)
        return weights, z2 - z1 @ weights

    def step(state: tuple[Solution, Array]) -> tuple[Solution, Array]:
        solution, count = state
        change = estimate(solution.weights, solution.error)
        leave = lambda *unchanged: unchanged  # noqa: E731
        weights, error = lax.cond(
            change > TOLERANCE, refine, leave, solution.weights, solution.error
        )
        return solution._replace(weights=weights, error=error, change=change), count + 1

    def unfinished(state: tuple[Solution, Array]) -> Array:
        return (state[0].change > TOLERANCE) & (state[1] < _REFINEMENTS)

    begun = begun._replace(error=z2 - z1 @ begun.weights)
    return lax.while_loop(unfinished, step, (begun, jnp.asarray(0)))[0]


def _ratio(a: Array, b: Array) -> Array:
    """‖a‖ / ‖b‖, 0 where both are 0."""
    above, below = jnp.sum(a**2), jnp.sum(b**2)
    return jnp.where(above == 0, 0, jnp.sqrt(above / below))
