"""Convolutions for XLA:CPU: feature maps `[C, H, W, B]`, each convolution one matrix product.

XLA:CPU runs `lax.conv` 5 to 20 times slower inside a loop than outside, and `vmap` over members
makes it a grouped convolution, slower again. Written as shifted slices, one concatenate and one
matrix product it runs well in both, and with the batch as the last axis every slice, pool and
ReLU is a long contiguous row. Slices are concatenated along the channels: a new first axis would
come before the members' under `vmap`, and be transposed.
"""

from functools import reduce
from itertools import product

import jax
import jax.numpy as jnp

from jaxadv.models.pooling import NO_ONE, best_corner, rectified
from jaxadv.types import Array


def _patches(x: Array, size: int) -> Array:
    """`[C, H, W, B]` to `[size·size·C, H, W, B]`, zero padded, in the order of an HWIO kernel."""
    height, width = x.shape[1:3]
    before, after = (size - 1) // 2, size // 2
    padded = jnp.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    shifts = [
        padded[:, row : row + height, column : column + width]
        for row in range(size)
        for column in range(size)
    ]
    return jnp.concatenate(shifts)


def _overlapped(slices: dict[tuple[int, int], Array], reach: int) -> Array:
    """The sum of `[C, H, W, B]` each moved by its key, `(rows, columns)` < reach.

    Returns `[C, H + reach − 1, W + reach − 1, B]`.
    """
    moved = [
        jnp.pad(part, ((0, 0), (r, reach - 1 - r), (c, reach - 1 - c), (0, 0)))
        for (r, c), part in slices.items()
    ]
    return reduce(jnp.add, moved)


def _scatter_patches(patches: Array, size: int) -> Array:
    """The transpose of `_patches`: overlapping slices added back, `[C, H, W, B]`."""
    channels, (height, width, batch) = len(patches) // size**2, patches.shape[1:]
    before = (size - 1) // 2
    slices = patches.reshape(size, size, channels, height, width, batch)
    padded = _overlapped({(r, c): slices[r, c] for r in range(size) for c in range(size)}, size)
    return padded[:, before : before + height, before : before + width]


def _computed_once(x: Array, kernel: Array) -> Array:
    """`x`, as the result of a product with the identity.

    XLA fuses a sum of slices into whatever reads it, and there computes it anew for every element
    read; across a matrix product it does not fuse. The kernel lends the identity its axis of
    members under `vmap`: without that axis the product would come out transposed.
    """
    rows = x.reshape(len(x) if len(x) > 1 else x.shape[1], -1)  # 1 x 1 would be simplified away
    identity = jnp.eye(len(rows), dtype=x.dtype) + 0 * kernel[0, 0, 0, 0]
    return (identity @ rows).reshape(x.shape)


@jax.custom_vjp
def convolve(x: Array, kernel: Array) -> Array:
    """Stride-1 'SAME' convolution `[F, H, W, B]` of `x [C, H, W, B]` with an HWIO kernel."""
    size, _, _, features = kernel.shape
    patches = _patches(x, size)
    product = kernel.reshape(-1, features).T @ patches.reshape(len(patches), -1)
    return product.reshape(features, *x.shape[1:])


def _convolve_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return convolve(x, kernel), (x, kernel)


def _convolve_backward(saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    """Patches are built again: nine times the input, they would leave the cache if kept."""
    x, kernel = saved
    size, _, _, features = kernel.shape
    flat = cotangent.reshape(features, -1)
    patches = _patches(x, size)
    kernel_gradient = patches.reshape(len(patches), -1) @ flat.T
    patch_gradient = (kernel.reshape(-1, features) @ flat).reshape(patches.shape)
    image_gradient = _computed_once(_scatter_patches(patch_gradient, size), kernel)
    return image_gradient, kernel_gradient.reshape(kernel.shape)


convolve.defvjp(_convolve_forward, _convolve_backward)


def _tiles(x: Array, size: int) -> Array:
    """`[C, H, W, B]` to `[(size+1)²·C, H//2, W//2, B]`: all that each 2×2 window's outputs read.

    Zero padded; the input rows of window i are those from 2i − (size−1)//2 on, size + 1 of them.
    """
    before, (height, width) = (size - 1) // 2, x.shape[1:3]
    after = [max(0, size - 1 - before - side % 2) for side in (height, width)]
    padded = jnp.pad(x, ((0, 0), (before, after[0]), (before, after[1]), (0, 0)))
    rows, columns = height // 2 * 2, width // 2 * 2
    offsets = range(size + 1)
    return jnp.concatenate(
        [padded[:, r : r + rows : 2, c : c + columns : 2] for r in offsets for c in offsets]
    )


def _scatter_tiles(tiles: Array, shape: tuple[int, ...], kernel: Array) -> Array:
    """The transpose of `_tiles`: `[C, H, W, B]`, made by the parity of row and column.

    The input row 2j + p takes from the offsets of parity p alone, one window further down each.
    """
    channels, height, width, batch = shape
    size, (rows, columns) = len(kernel), tiles.shape[1:3]
    before, reach = (size - 1) // 2, size // 2 + 1  # offsets of parity 0
    offsets = tiles.reshape(size + 1, size + 1, channels, rows, columns, batch)

    def plane(row: int, column: int) -> Array:
        mine = product(range(row, size + 1, 2), range(column, size + 1, 2))
        return _overlapped({(r // 2, c // 2): offsets[r, c] for r, c in mine}, reach)

    sides = rows + reach - 1, columns + reach - 1
    stacked = jnp.concatenate([plane(r, c) for r in (0, 1) for c in (0, 1)])
    planes = _computed_once(stacked.reshape(4, channels, *sides, batch), kernel)
    interleaved = planes.reshape(2, 2, channels, *sides, batch).transpose(2, 3, 0, 4, 1, 5)
    padded = interleaved.reshape(channels, 2 * sides[0], 2 * sides[1], batch)
    image = padded[:, before : before + height, before : before + width]
    unread = height - image.shape[1], width - image.shape[2]  # an odd last row or column
    return jnp.pad(image, ((0, 0), (0, unread[0]), (0, unread[1]), (0, 0)))


def _corner_kernels(kernel: Array) -> Array:
    """HWIO to `[4·features, (size+1)²·C]`: the kernel at each of a window's four outputs."""
    placed = [
        jnp.pad(kernel, ((r, 1 - r), (c, 1 - c), (0, 0), (0, 0))) for r in (0, 1) for c in (0, 1)
    ]
    features = kernel.shape[-1]
    return jnp.stack(placed).transpose(0, 4, 1, 2, 3).reshape(4 * features, -1)


@jax.custom_vjp
def convolve_pool(x: Array, kernel: Array, bias: Array) -> Array:
    """`relu_max_pool` of the convolution plus bias, a window's four outputs from one product.

    The corners then lie in four blocks, and the pool need not gather them. For 1.8 times the
    multiplications of a 3×3 kernel it copies each input four times, not nine.
    """
    return _convolve_pool_forward(x, kernel, bias)[0]


def _convolve_pool_forward(
    x: Array, kernel: Array, bias: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    tiles = _tiles(x, len(kernel))
    outputs = _corner_kernels(kernel) @ tiles.reshape(len(tiles), -1)
    best, winner = best_corner(*outputs.reshape(4, len(bias), *tiles.shape[1:]))
    pooled, winner = rectified(best + bias[:, None, None, None], winner)
    return pooled, (x, kernel, winner)


def _convolve_pool_backward(
    saved: tuple[Array, Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    """Tiles are built again, as patches are."""
    x, kernel, winner = saved
    corner = jnp.arange(4, dtype=winner.dtype)[:, None, None, None, None]
    flat = jnp.where(winner == corner, cotangent, 0).reshape(4 * kernel.shape[-1], -1)
    tiles = _tiles(x, len(kernel))
    placed, placed_back = jax.vjp(_corner_kernels, kernel)
    (kernel_gradient,) = placed_back(flat @ tiles.reshape(len(tiles), -1).T)
    image_gradient = _scatter_tiles((placed.T @ flat).reshape(tiles.shape), x.shape, kernel)
    bias_gradient = jnp.where(winner == NO_ONE, 0, cotangent).sum(axis=(1, 2, 3))
    return image_gradient, kernel_gradient, bias_gradient


convolve_pool.defvjp(_convolve_pool_forward, _convolve_pool_backward)
