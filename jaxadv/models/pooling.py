"""2×2 max pooling, alone and with a ReLU in one, with PyTorch's gradient."""

import jax
import jax.numpy as jnp

from jaxadv.types import Array

NO_ONE = 4  # the ReLU is off: no corner takes the gradient


def best_corner(
    a: Array, b: Array, c: Array, d: Array, slack: Array | float = 0
) -> tuple[Array, Array]:
    """The maximum of a window's four corners, in row order, and the number of the first to be it.

    Each window's gradient goes to that one, as in PyTorch. Splitting it over ties, as
    `reshape(…).max(…)` does, changes FGSM on MNIST's flat background by up to 0.08 in transfer
    rate.

    slack: what a corner may lack, where corners that are equal come out with different rounding.
    """
    best = jnp.maximum(jnp.maximum(a, b), jnp.maximum(c, d))
    least = best - slack
    return best, jnp.where(a >= least, 0, jnp.where(b >= least, 1, jnp.where(c >= least, 2, 3)))


def rectified(best: Array, winner: Array) -> tuple[Array, Array]:
    """ReLU of the maximum, and the winner as int8: a quarter of the input's memory."""
    return jnp.maximum(best, 0), jnp.where(best > 0, winner, NO_ONE).astype(jnp.int8)


def _quarters(x: Array) -> tuple[Array, Array, Array, Array]:
    """The four corners of every 2×2 window, an odd last row or column dropped."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return tuple(x[:, r:height:2, c:width:2] for r in (0, 1) for c in (0, 1))  # type: ignore


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """2×2 max pooling of stride 2 over axes 1 and 2; an odd last row or column is dropped."""
    return _forward(x)[0]


def _forward(x: Array) -> tuple[Array, tuple[Array, tuple[int, ...]]]:
    pooled, winner = best_corner(*_quarters(x))
    return pooled, (winner.astype(jnp.int8), x.shape)


@jax.custom_vjp
def relu_max_pool(x: Array) -> Array:
    """ReLU, then `max_pool`."""
    return _relu_forward(x)[0]


def _relu_forward(x: Array) -> tuple[Array, tuple[Array, tuple[int, ...]]]:
    pooled, winner = rectified(*best_corner(*_quarters(x)))
    return pooled, (winner, x.shape)


def _backward(saved: tuple[Array, tuple[int, ...]], cotangent: Array) -> tuple[Array]:
    winner, shape = saved
    outer, height, width, inner = cotangent.shape
    corners = [jnp.where(winner == corner, cotangent, 0) for corner in range(4)]
    rows = [jnp.stack(corners[:2], axis=3), jnp.stack(corners[2:], axis=3)]
    windows = jnp.stack(rows, axis=2).reshape(outer, 2 * height, 2 * width, inner)
    odd = ((0, 0), (0, shape[1] - 2 * height), (0, shape[2] - 2 * width), (0, 0))
    return (jnp.pad(windows, odd),)


max_pool.defvjp(_forward, _backward)
relu_max_pool.defvjp(_relu_forward, _backward)
