"""The layers whose implementation decides the speed, chosen per backend here and nowhere else.

CPUs get `batch_last`, GPUs and TPUs `lax.conv` with the batch first. The parameters are those of
`flax.linen.Conv` (HWIO kernel) either way.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

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


class _Layout(NamedTuple):
    """How a backend likes a batch of feature maps; height and width are axes 1 and 2 in both.

    enter: `[B, H, W, C]` images to the layout.
    convolve: stride-1 'SAME' convolution of the layout with an HWIO kernel, and its bias.
    convolve_pool: the same, or a 'VALID' one, then `relu_max_pool`.
    enlarge: every pixel to a 2×2 window of its own, by a kernel `[2, 2, C, F]` and its bias.
    leave: the layout to `[B, C·H·W]`, flattened in PyTorch's order.
    images: the layout back to `[B, H, W, C]`.
    channel: the axis of the channels.
    """

    enter: Callable[[Array], Array]
    convolve: Callable[[Array, Array, Array], Array]
    convolve_pool: Callable[..., Array]
    enlarge: Callable[[Array, Array, Array], Array]
    leave: Callable[[Array], Array]
    images: Callable[[Array], Array]
    channel: int


def _convolve_batch_first(x: Array, kernel: Array, bias: Array, *, valid: bool = False) -> Array:
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    edges, dimensions = "VALID" if valid else "SAME", ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), edges, dimension_numbers=dimensions) + bias


def _convolve_pool_batch_first(
    x: Array, kernel: Array, bias: Array, *, valid: bool = False
) -> Array:
    return relu_max_pool(_convolve_batch_first(x, kernel, bias, valid=valid))


def _enlarge_batch_first(x: Array, kernel: Array, bias: Array) -> Array:
    windows = jnp.einsum("bhwc,ijcf->bhiwjf", x, kernel)
    batch, height, _, width, _, features = windows.shape
    return windows.reshape(batch, 2 * height, 2 * width, features) + bias


BATCH_LAST = _Layout(
    enter=lambda x: jnp.transpose(x, (3, 1, 2, 0)),
    convolve=lambda x, kernel, bias: batch_last.convolve(x, kernel) + bias[:, None, None, None],
    convolve_pool=batch_last.convolve_pool,
    enlarge=batch_last.enlarge,
    leave=lambda x: x.reshape(-1, x.shape[-1]).T,
    images=lambda x: jnp.transpose(x, (3, 1, 2, 0)),
    channel=0,
)
BATCH_FIRST = _Layout(
    enter=lambda x: x,
    convolve=_convolve_batch_first,
    convolve_pool=_convolve_pool_batch_first,
    enlarge=_enlarge_batch_first,
    leave=lambda x: jnp.transpose(x, (0, 3, 1, 2)).reshape(len(x), -1),
    images=lambda x: x,
    channel=-1,
)


def layout() -> _Layout:
    """The layout for the backend in use."""
    return BATCH_LAST if jax.default_backend() == "cpu" else BATCH_FIRST


class Conv(nn.Module):
    """Stride-1 'SAME' convolution in `layout()`, parameters as `flax.linen.Conv`.

    pooled: whether ReLU and 2×2 max pooling follow, an odd last row or column dropped.
    valid: 'VALID' instead: no zeros around the image.
    """

    features: int
    channels: int
    size: int = 3
    pooled: bool = False
    valid: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(self.size**2 * self.channels)
        kernel = self.param("kernel", init, (self.size, self.size, self.channels, self.features))
        bias = self.param("bias", init, (self.features,))
        form = layout()
        if self.pooled:
            return form.convolve_pool(x, kernel, bias, valid=self.valid)
        whole = form.convolve(x, kernel, bias)
        if not self.valid:
            return whole
        first = (self.size - 1) // 2
        rows, columns = (first + side - self.size + 1 for side in x.shape[1:3])
        return whole[:, first:rows, first:columns]


class Enlarge(nn.Module):
    """Transposed 2×2 convolution of stride 2 in `layout()`: height and width double.

    The kernel is `[2, 2, C, F]`, its bounds those of PyTorch's ConvTranspose2d.
    """

    features: int
    channels: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = uniform_fan_in(4 * self.features)
        kernel = self.param("kernel", init, (2, 2, self.channels, self.features))
        return layout().enlarge(x, kernel, self.param("bias", init, (self.features,)))


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


def batch_norm(train: bool, name: str | None = None, axis: int = -1) -> nn.BatchNorm:
    """BatchNorm with PyTorch's momentum 0.1, which Flax writes as 0.9 (its own default is 0.99).

    The variance is the mean of (x − mean)². Flax's default, E[x²] − E[x]², has no correct digit
    where the mean is thousands of standard deviations, as in nearly dead features. The running
    variance is the biased one (over N), as Flax has it; PyTorch's is over N − 1.
    axis: of the channels.
    """
    settings: dict[str, Any] = {"momentum": 0.9, "epsilon": 1e-5, "axis": axis, "name": name}
    return nn.BatchNorm(use_running_average=not train, use_fast_variance=False, **settings)
