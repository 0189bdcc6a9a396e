"""The layers whose implementation decides the speed, chosen per backend here and nowhere else.

CPUs get `batch_last`, GPUs and TPUs `lax.conv` with the batch first. The parameters are those of
`flax.linen.Conv` (HWIO kernel) either way.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.models import batch_last
from jaxadv.models.pooling import relu_max_pool
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
    convolve_pool: the same, then `relu_max_pool`.
    leave: the layout to `[B, C·H·W]`, flattened in PyTorch's order.
    """

    enter: Callable[[Array], Array]
    convolve: Callable[[Array, Array, Array], Array]
    convolve_pool: Callable[[Array, Array, Array], Array]
    leave: Callable[[Array], Array]


def _convolve_batch_first(x: Array, kernel: Array, bias: Array) -> Array:
    dimensions = ("NHWC", "HWIO", "NHWC")
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions) + bias


BATCH_LAST = Layout(
    enter=lambda x: jnp.transpose(x, (3, 1, 2, 0)),
    convolve=lambda x, kernel, bias: batch_last.convolve(x, kernel) + bias[:, None, None, None],
    convolve_pool=batch_last.convolve_pool,
    leave=lambda x: x.reshape(-1, x.shape[-1]).T,
)
BATCH_FIRST = Layout(
    enter=lambda x: x,
    convolve=_convolve_batch_first,
    convolve_pool=lambda x, kernel, bias: relu_max_pool(_convolve_batch_first(x, kernel, bias)),
    leave=lambda x: jnp.transpose(x, (0, 3, 1, 2)).reshape(len(x), -1),
)


def layout() -> Layout:
    """The layout for the backend in use."""
    return BATCH_LAST if jax.default_backend() == "cpu" else BATCH_FIRST


class Conv(nn.Module):
    """Stride-1 'SAME' convolution in `layout()`, parameters as `flax.linen.Conv`.

    pooled: whether ReLU and 2×2 max pooling follow, an odd last row or column dropped.
    """

    features: int
    channels: int
    size: int = 3
    pooled: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(self.size**2 * self.channels)
        kernel = self.param("kernel", init, (self.size, self.size, self.channels, self.features))
        bias = self.param("bias", init, (self.features,))
        form = layout()
        return (form.convolve_pool if self.pooled else form.convolve)(x, kernel, bias)


@jax.custom_vjp
def _times(x: Array, kernel: Array) -> Array:
    """`x [..., in] @ kernel [in, out]`, its gradients as products that need no transposition.

    jax transposes the kernel's gradient, and XLA:CPU then copies the cotangent to suit.
    """
    return x @ kernel


def _times_backward(saved: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, kernel = saved
    rows = x.reshape(-1, x.shape[-1])
    return cotangent @ kernel.T, rows.T @ cotangent.reshape(-1, kernel.shape[-1])


_times.defvjp(lambda x, kernel: (x @ kernel, (x, kernel)), _times_backward)


class Dense(nn.Module):
    """Linear layer with PyTorch's default initialisation, parameters as `flax.linen.Dense`."""

    features: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(x.shape[-1])
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        bias = self.param("bias", init, (self.features,))
        return _times(x, kernel) + bias


def batch_norm(train: bool, name: str | None = None) -> nn.BatchNorm:
    """BatchNorm with PyTorch's momentum 0.1, which Flax writes as 0.9 (its own default is 0.99)."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)
