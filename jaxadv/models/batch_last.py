"""Convolutions for XLA:CPU: feature maps `[C, H, W, B]`, each convolution one matrix product.

XLA:CPU runs `lax.conv` 5 to 20 times slower inside a loop than outside, and `vmap` over members
makes it a grouped convolution, slower again. Written as shifted slices, one concatenate and one
matrix product it runs well in both, and with the batch as the last axis every slice, pool and
ReLU is a long contiguous row. Slices are concatenated along the channels: a new first axis would
come before the members' under `vmap`, and be transposed.
"""

from functools import partial
from itertools import product
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax import lax

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


def _overlapped(parts: Array) -> Array:
    """The sum of `parts [R, S, C, H, W, B]`, each moved by its `(r, s)`: `[C, H+R−1, W+S−1, B]`.

    By rows, then by columns, joined from slices: a sum of padded arrays XLA computes several times
    slower where a matrix product inside a loop reads it.
    """
    return _moved(_moved(parts))


def _moved(parts: Array) -> Array:
    """The sum of `parts[k]` over k, each moved by k along its axis 2."""
    total, length = parts[0], parts.shape[3]
    for k, part in enumerate(parts[1:], start=1):
        shared = total[:, :, k:] + part[:, :, : length - 1]
        total = jnp.concatenate([total[:, :, :k], shared, part[:, :, length - 1 :]], axis=2)
    return total


def _scatter_patches(patches: Array, size: int) -> Array:
    """The transpose of `_patches`: overlapping slices added back, `[C, H, W, B]`."""
    channels, (height, width, batch) = len(patches) // size**2, patches.shape[1:]
    before = (size - 1) // 2
    padded = _overlapped(patches.reshape(size, size, channels, height, width, batch))
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
    # jax 0.10 loses arguments that are kept as they are, where a loop is differentiated twice.
    return convolve(x, kernel), (1 * x, 1 * kernel)


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


def enlarge(x: Array, kernel: Array, bias: Array) -> Array:
    """Transposed 2×2 convolution of stride 2, `[C, H, W, B]` to `[F, 2H, 2W, B]`.

    kernel: `[2, 2, C, F]`. bias: `[F]`.
    """
    channels, features = kernel.shape[2:]
    height, width, batch = x.shape[1:]
    product = kernel.transpose(0, 1, 3, 2).reshape(-1, channels) @ x.reshape(channels, -1)
    windows = product.reshape(2, 2, features, height, width, batch).transpose(2, 3, 0, 4, 1, 5)
    return windows.reshape(features, 2 * height, 2 * width, batch) + bias[:, None, None, None]


Edges: TypeAlias = tuple[int, int]  # zeros before and after each row and column


def _windows(side: int, size: int, edges: Edges) -> int:
    """2×2 windows along a side of the outputs of a convolution, an odd last output dropped."""
    return (side + sum(edges) - size + 1) // 2


def _parities(x: Array, size: int, edges: Edges) -> Array:
    """`[C, H, W, B]` to `[4·C, rows, columns, B]`: zero padded, by the parity of row and column.

    What the 2×2 window i of the outputs of an odd `size` reads are the rows i to i + size//2.
    """
    channels, batch = x.shape[0], x.shape[-1]
    padded = lax.pad(x, jnp.zeros((), x.dtype), _frame(x.shape, size, edges))
    rows, columns = padded.shape[1] // 2, padded.shape[2] // 2
    split = padded.reshape(channels, rows, 2, columns, 2, batch).transpose(2, 4, 0, 1, 3, 5)
    return split.reshape(4 * channels, rows, columns, batch)


def _frame(
    shape: tuple[int, ...], size: int, edges: Edges, sign: int = 1
) -> list[tuple[int, int, int]]:
    """`lax.pad`'s widths around `[C, H, W, B]` for windows; what no window reads is taken away."""
    before = edges[0]
    needed = [2 * _windows(side, size, edges) + size - 1 for side in shape[1:3]]
    sides = [
        (sign * before, sign * (length - side - before), 0)
        for length, side in zip(needed, shape[1:3], strict=True)
    ]
    return [(0, 0, 0), *sides, (0, 0, 0)]


def _tiles(x: Array, size: int, edges: Edges) -> Array:
    """`[C, H, W, B]` to `[(size+1)²·C, rows, columns, B]`: all that each 2×2 window's outputs read.

    Rows and columns are those of the windows.
    """
    height, width = (_windows(side, size, edges) for side in x.shape[1:3])
    planes, reach = _parities(x, size, edges), size // 2 + 1
    steps = product(range(reach), repeat=2)
    return jnp.concatenate([planes[:, r : r + height, c : c + width] for r, c in steps])


def _scatter_tiles(tiles: Array, shape: tuple[int, ...], kernel: Array, edges: Edges) -> Array:
    """The transpose of `_tiles`: `[C, H, W, B]`."""
    channels, batch, reach = shape[0], shape[-1], len(kernel) // 2 + 1
    parts = tiles.reshape(reach, reach, 4 * channels, *tiles.shape[1:])
    planes = _overlapped(parts)
    _, rows, columns, _ = planes.shape
    split = _computed_once(planes.reshape(4, channels, rows, columns, batch), kernel)
    split = split.reshape(2, 2, channels, rows, columns, batch).transpose(2, 3, 0, 4, 1, 5)
    padded = split.reshape(channels, 2 * rows, 2 * columns, batch)
    return lax.pad(padded, jnp.zeros((), tiles.dtype), _frame(shape, len(kernel), edges, -1))


def _corner_kernels(kernel: Array) -> Array:
    """HWIO to `[4·features, (size+1)²·C]`: the kernel at each of a window's four outputs."""
    size, _, channels, features = kernel.shape
    corners = product((0, 1), repeat=2)
    placed = [jnp.pad(kernel, ((r, 1 - r), (c, 1 - c), (0, 0), (0, 0))) for r, c in corners]
    reach = size // 2 + 1
    split = jnp.stack(placed).reshape(4, reach, 2, reach, 2, channels, features)
    return split.transpose(0, 6, 1, 3, 2, 4, 5).reshape(4 * features, -1)


def convolve_pool(x: Array, kernel: Array, bias: Array, *, valid: bool = False) -> Array:
    """`relu_max_pool` of the convolution plus bias, a window's four outputs from one product.

    The corners then lie in four blocks, and the pool need not gather them. For 1.8 times the
    multiplications of a 3×3 kernel it copies each input four times, not nine.

    valid: no zeros around the image ('VALID'); default 'SAME'.
    """
    even = 1 - len(kernel) % 2
    odd = jnp.pad(kernel, ((even, 0), (even, 0), (0, 0), (0, 0)))
    same = (len(odd) // 2, len(odd) // 2)
    return _convolve_pool((even, 0) if valid else same, x, odd, bias)


def _rounding(tiles: Array, kernel: Array) -> Array:
    """`[features, H//2, W//2, B]`: by how much corners of a flat image may differ.

    A window's corners are different rows of the product, and add up the same terms in other orders.
    What a window reads is summed by a product, which XLA does not fuse with what made the tiles;
    behind a ReLU, and in an image, it is not negative.
    """
    read = jnp.ones((1, len(tiles)), tiles.dtype) @ tiles.reshape(len(tiles), -1)
    largest = jnp.abs(kernel).max(axis=(0, 1, 2))[:, None, None, None]
    return jnp.finfo(tiles.dtype).eps * largest * jnp.abs(read).reshape(tiles.shape[1:])


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve_pool(edges: Edges, x: Array, kernel: Array, bias: Array) -> Array:
    return _convolve_pool_forward(edges, x, kernel, bias)[0]


def _convolve_pool_forward(
    edges: Edges, x: Array, kernel: Array, bias: Array
) -> tuple[Array, tuple[Array, Array, Array]]:
    tiles = _tiles(x, len(kernel), edges)
    outputs = _corner_kernels(kernel) @ tiles.reshape(len(tiles), -1)
    a, b, c, d = outputs.reshape(4, len(bias), *tiles.shape[1:])
    best, winner = best_corner(a, b, c, d, _rounding(tiles, kernel))
    pooled, winner = rectified(best + bias[:, None, None, None], winner)
    return pooled, (x, kernel, winner)


def _convolve_pool_backward(
    edges: Edges, saved: tuple[Array, Array, Array], cotangent: Array
) -> tuple[Array, Array, Array]:
    """Tiles are built again, as patches are."""
    x, kernel, winner = saved
    # Joined: one `where` over a new axis would gather the cotangent element by element.
    chosen = [jnp.where(winner == corner, cotangent, 0) for corner in range(4)]
    flat = jnp.concatenate(chosen).reshape(4 * kernel.shape[-1], -1)
    tiles = _tiles(x, len(kernel), edges)
    placed, placed_back = jax.vjp(_corner_kernels, kernel)
    (kernel_gradient,) = placed_back(flat @ tiles.reshape(len(tiles), -1).T)
    image_gradient = _scatter_tiles((placed.T @ flat).reshape(tiles.shape), x.shape, kernel, edges)
    bias_gradient = jnp.where(winner == NO_ONE, 0, cotangent).sum(axis=(1, 2, 3))
    return image_gradient, kernel_gradient, bias_gradient


_convolve_pool.defvjp(_convolve_pool_forward, _convolve_pool_backward)
