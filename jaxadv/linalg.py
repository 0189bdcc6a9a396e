"""Factorisations made of matrix products, which every backend does at its full rate."""

import jax
import jax.numpy as jnp
from jax import Array, lax

# OpenBLAS takes one thread for fewer than 64 rows, and a leaf is factorised with as many again
# below it. Beyond, its threads go on spinning when done and slow the products that follow: by half,
# when this was measured on two cores.
_LEAF = 31
_LOOPED = 112  # rows done by a loop over leaves: a little slower than halving on, less to compile


def inverse_cholesky(a: Array) -> tuple[Array, Array]:
    """`L⁻¹` and the diagonal of `L`, `a = L Lᵀ [D, D]` positive definite; NaN where it is not.

    On a CPU by halves: L11, then L21 = A21 L11⁻ᵀ, then the factor of A22 − L21 L21ᵀ.
    """
    if jax.default_backend() != "cpu":
        lower = lax.linalg.cholesky(a, symmetrize_input=False)
        identity = jnp.eye(len(a), dtype=a.dtype)
        inverse = lax.linalg.triangular_solve(lower, identity, left_side=True, lower=True)
        return inverse, jnp.diagonal(lower)
    return _by_halves(a, max(_LOOPED, len(a) // 4))


def _by_halves(a: Array, looped: int) -> tuple[Array, Array]:
    n = len(a)
    if n <= looped:
        return _by_leaves(a)
    half = n // 2
    first, pivots = _by_halves(a[:half, :half], looped)
    below = a[half:, :half] @ first.T
    second, more = _by_halves(a[half:, half:] - below @ below.T, looped)
    corner = -(second @ (below @ first))
    top = jnp.pad(first, ((0, 0), (0, n - half)))
    inverse = jnp.concatenate([top, jnp.concatenate([corner, second], axis=1)])
    return inverse, jnp.concatenate([pivots, more])


def _by_leaves(a: Array) -> tuple[Array, Array]:
    """Leaf after leaf of the diagonal, each with the rows of the inverse that it ends."""
    n = len(a)
    if n <= _LEAF:
        return _leaf(a)
    count = -(-n // _LEAF)
    size = -(-n // count)
    whole = count * size
    a = jnp.pad(a, (0, whole - n)) + jnp.diag((jnp.arange(whole) >= n).astype(a.dtype))

    def step(leaf: Array, done: tuple[Array, Array]) -> tuple[Array, Array]:
        inverse, pivots = done
        at = leaf * size
        rows = lax.dynamic_slice(a, (at, 0), (size, whole))
        before = rows @ inverse.T
        corner = lax.dynamic_slice(rows, (0, at), (size, size)) - before @ before.T
        own, diagonal = _leaf(corner)
        new = lax.dynamic_update_slice(-(own @ (before @ inverse)), own, (0, at))
        inverse = lax.dynamic_update_slice(inverse, new, (at, 0))
        return inverse, lax.dynamic_update_slice(pivots, diagonal, (at,))

    start = jnp.zeros_like(a), jnp.zeros(whole, a.dtype)
    inverse, pivots = lax.fori_loop(0, count, step, start)
    return inverse[:n, :n], pivots[:n]


def _leaf(a: Array) -> tuple[Array, Array]:
    """One Cholesky factorisation gives both: of [[A, I], [I, ∞]] it is [[L, 0], [L⁻ᵀ, …]]."""
    n = len(a)
    identity = jnp.eye(n, dtype=a.dtype)
    blocks = [[a, identity], [identity, 1e30 * identity]]
    lower = lax.linalg.cholesky(jnp.block(blocks), symmetrize_input=False)
    return lower[n:, :n].T, jnp.diagonal(lower)[:n]
