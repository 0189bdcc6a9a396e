"""The layers whose implementation decides the speed, chosen per backend here and nowhere else.

XLA:CPU runs `lax.conv` 5 to 20 times slower inside a loop than outside, and `vmap` over members
makes it a grouped convolution, slower again. Written as shifted slices, one concatenate and one
matrix product it runs well in both, and with the batch as the last axis every slice, pool and
ReLU is a long contiguous row. GPUs and TPUs get `lax.conv` with the batch first. The parameters
are those of `flax.linen.Conv` (HWIO kernel) either way.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.types import Array, Key


def uniform_fan_in(fan_in: int) -> Callable[..., Array]:
    """PyTorch's default for weights and biases alike: uniform in ±1/√fan_in."""

    def init(key: Key, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> Array:
        bound = 1 / math.sqrt(fan_in)
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


class Layout(NamedTuple):
    """How a backend likes a batch of feature maps; height and width are axes 1 and 2 in both.

    enter: `[B, H, W, C]` images to the layout.
    convolve: stride-1 'SAME' convolution of the layout with an HWIO kernel, and its bias.
    leave: the layout to `[B, C·H·W]`, flattened in PyTorch's order.
    """

    enter: Callable[[Array], Array]
    convolve: Callable[[Array, Array, Array], Array]
    leave: Callable[[Array], Array]


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


def _scatter_patches(patches: Array, size: int) -> Array:
    """The transpose of `_patches`: overlapping slices added back, `[C, H, W, B]`."""
    channels, (height, width, batch) = len(patches) // size**2, patches.shape[1:]
    before = (size - 1) // 2
    slices = patches.reshape(size, size, channels, height, width, batch)
    padded = reduce(
        jnp.add,
        (
            jnp.pad(slices[r, c], ((0, 0), (r, size - 1 - r), (c, size - 1 - c), (0, 0)))
            for r in range(size)
            for c in range(size)
        ),
    )
    rows = slice(before, before + height)
    return padded[:, rows, before : before + width]


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
def _convolve_batch_last(x: Array, kernel: Array) -> Array:
    size, _, _, features = kernel.shape
    patches = _patches(x, size)
    product = kernel.reshape(-1, features).T @ patches.reshape(len(patches), -1)
    return product.reshape(features, *x.shape[1:])


def _convolve_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve_batch_last(x, kernel), (x, kernel)


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


_convolve_batch_last.defvjp(_convolve_forward, _convolve_backward)


def _convolve_batch_first(x: Array, kernel: Array, bias: Array) -> Array:
    dimensions = ("NHWC", "HWIO", "NHWC")
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions) + bias


BATCH_LAST = Layout(
    enter=lambda x: jnp.transpose(x, (3, 1, 2, 0)),
    convolve=lambda x, kernel, bias: _convolve_batch_last(x, kernel) + bias[:, None, None, None],
    leave=lambda x: x.reshape(-1, x.shape[-1]).T,
)
BATCH_FIRST = Layout(
    enter=lambda x: x,
    convolve=_convolve_batch_first,
    leave=lambda x: jnp.transpose(x, (0, 3, 1, 2)).reshape(len(x), -1),
)


def layout() -> Layout:
    """The layout for the backend in use."""
    return BATCH_LAST if jax.default_backend() == "cpu" else BATCH_FIRST


class Conv(nn.Module):
    """Stride-1 'SAME' convolution in `layout()`, parameters as `flax.linen.Conv`."""

    features: int
    channels: int
    size: int = 3

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(self.size**2 * self.channels)
        kernel = self.param("kernel", init, (self.size, self.size, self.channels, self.features))
        bias = self.param("bias", init, (self.features,))
        return layout().convolve(x, kernel, bias)


class Dense(nn.Module):
    """Linear layer with PyTorch's default initialisation, parameters as `flax.linen.Dense`."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(x.shape[-1])
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        bias = self.param("bias", init, (self.features,))
        return x @ kernel + bias


def batch_norm(train: bool, name: str | None = None) -> nn.BatchNorm:
    """BatchNorm with PyTorch's momentum 0.1, which Flax writes as 0.9 (its own default is 0.99)."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)


def _quarters(x: Array) -> tuple[Array, Array, Array, Array]:
    """The four corners of every 2×2 window, an odd last row or column dropped."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return tuple(x[:, r:height:2, c:width:2] for r in (0, 1) for c in (0, 1))  # type: ignore


@jax.custom_vjp
def relu_max_pool(x: Array) -> Array:
    """ReLU, then 2×2 max pooling of stride 2 over axes 1 and 2; an odd last row is dropped.

    Each window's gradient goes to one winner, the first in row order, as in PyTorch. Splitting it
    over ties, as `reshape(…).max(…)` does, changes FGSM on MNIST's flat background by up to 0.08
    in transfer rate. The winner is kept as int8, a fraction of the memory traffic of the input.
    """
    return _relu_max_pool_forward(x)[0]


def _relu_max_pool_forward(x: Array) -> tuple[Array, tuple[Array, tuple[int, ...]]]:
    a, b, c, d = _quarters(x)
    top, bottom = jnp.maximum(a, b), jnp.maximum(c, d)
    best = jnp.maximum(top, bottom)
    winner = jnp.where(top >= bottom, jnp.where(a >= b, 0, 1), jnp.where(c >= d, 2, 3))
    no_one = 4  # the ReLU is off
    return jnp.maximum(best, 0), (jnp.where(best > 0, winner, no_one).astype(jnp.int8), x.shape)


def _relu_max_pool_backward(saved: tuple[Array, tuple[int, ...]], cotangent: Array) -> tuple[Array]:
    winner, shape = saved
    outer, height, width, inner = cotangent.shape
    corners = [jnp.where(winner == corner, cotangent, 0) for corner in range(4)]
    rows = [jnp.stack(corners[:2], axis=3), jnp.stack(corners[2:], axis=3)]
    windows = jnp.stack(rows, axis=2).reshape(outer, 2 * height, 2 * width, inner)
    odd = ((0, 0), (0, shape[1] - 2 * height), (0, shape[2] - 2 * width), (0, 0))
    return (jnp.pad(windows, odd),)


relu_max_pool.defvjp(_relu_max_pool_forward, _relu_max_pool_backward)
