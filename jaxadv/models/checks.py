"""What the networks ask of numbers, keys and images; all static, so that it costs nothing."""

import numbers
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.types import Array, Indices


def is_array(value: Any) -> bool:
    """Whether it is an array of numbers, NumPy's or JAX's, concrete or traced."""
    return isinstance(value, jax.Array | np.ndarray)


def whole(value: Any, what: str, least: int = 1, most: int | None = None) -> int:
    """A whole number in its range; True and 2.0 are none.

    what: how the error names it, such as "{} necks".

    Raises:
        UserError: if it is another.
    """
    number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not number or value < least or (most is not None and value > most):
        wanted = f"from {least} to {most}" if most is not None else f"of at least {least}"
        shown = repr(value) if isinstance(value, str) else f"{value}"
        raise UserError(f"{what.format(shown)}: give a whole number {wanted}")
    return int(value)


def every_width(widths: Sequence[int]) -> tuple[int, ...]:
    """The widths of hidden layers, at least one."""
    if not isinstance(widths, Sequence) or isinstance(widths, str) or not len(widths):
        raise UserError(f"widths are {widths!r}: give a tuple of whole numbers, such as (500, 200)")
    return tuple(whole(width, "a hidden layer {} wide") for width in widths)


def one_key(key: Any) -> None:
    """Refuse what is not one random key (typed, or of JAX's old kind)."""
    typed = is_array(key) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    old = is_array(key) and key.dtype == jnp.uint32 and key.shape in ((2,), (4,))
    if not old and not (typed and key.shape == ()):
        shown = f"an array of {key.dtype} {key.shape}" if is_array(key) else repr(key)
        raise UserError(f"a random key is wanted, not {shown}: give jax.random.key(0)")


def floats(x: Any) -> None:
    """Refuse images that are not floats: whole numbers are 0 to 255, as a rule, and not [0, 1]."""
    if not is_array(x) or not x.ndim:
        raise UserError(f"images are a {type(x).__name__}: give an array [B, height, width, C]")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise UserError(f"images of {x.dtype}: give floats in [0, 1], such as x / 255.0 of bytes")


def image_batch(
    x: Array, network: str, least: int = 1, multiple: int = 1, *, flat: bool = False
) -> None:
    """Refuse what is not `[B, H, W, C]` of a size that the network can take.

    least: pixels a side that leave something after all pools. multiple: of which sides must be.
    flat: whether `[B, D]` will do too, as for a network that flattens its images.
    """
    if flat and x.ndim == 2 and x.size:
        return
    if x.ndim != 4:
        raise UserError(
            f"images of shape {x.shape}: {network} takes [B, height, width, channels]; x[None] "
            "makes a batch of one image, x[..., None] adds the channel of grey ones"
        )
    if not len(x):
        raise UserError(f"a batch of 0 images: {network} needs at least one")
    height, width, channels = x.shape[1:]
    if min(height, width) < least or not channels:
        raise UserError(
            f"images of {height}×{width}: {network} needs {least} pixels a side or more; it takes "
            f"[B, height, width, channels], which makes {channels} the channels here"
        )
    if height % multiple or width % multiple:
        raise UserError(
            f"images of {height}×{width}: {network} needs sides that are multiples of {multiple}"
        )


def neck_indices(indices: Indices, necks: int) -> None:
    """Refuse numbers of necks that are not there; traced ones cannot be seen.

    An index beyond the last would take the last, in silence.
    """
    if isinstance(indices, jax.core.Tracer):
        return
    if not len(indices):
        raise UserError("0 necks: give the number of at least one pathway")
    for index in np.asarray(indices).tolist() if is_array(indices) else indices:
        if not isinstance(index, jax.core.Tracer):
            whole(index, "pathway {}", 0, necks - 1)
