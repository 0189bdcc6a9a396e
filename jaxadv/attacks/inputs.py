"""What an attack is given, checked before it moves a pixel."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.checks import is_traced, numbers
from jaxadv.errors import UserError
from jaxadv.types import Array

Limit: TypeAlias = float | tuple[Any, ...]  # one number, or nested tuples that broadcast
Bounds: TypeAlias = tuple[Limit, Limit]


def each(value: Any, name: str, x: Array) -> Array:
    """A number, or one an example `[B]`, in the images' type and as `[B, 1, …]`.

    Raises:
        UserError: if it is neither.
    """
    shape = np.shape(value) if value is not None else None
    if shape not in ((), (len(x),)):
        raise UserError(f"{name} of shape {shape}: give a number, or one for each of {len(x)}")
    number = jnp.broadcast_to(jnp.asarray(value, x.dtype), len(x))
    return number.reshape(-1, *(1,) * (x.ndim - 1))


def fixed_bounds(bounds: Any) -> Bounds:
    """`(low, high)` as floats, or nested tuples of them where they differ between channels.

    Raises:
        UserError: if they are no two finite limits, the low below the high.
    """
    wanted = "give (low, high), numbers or one each a channel, low below high"
    try:
        low, high = (np.asarray(limit, np.float64) for limit in bounds)
        fit = np.all(low < high) and np.all(np.isfinite(low) & np.isfinite(high))
    except (TypeError, ValueError):  # not two, not numbers, or traced
        raise UserError(f"bounds {bounds}: {wanted}") from None
    if not fit:
        raise UserError(f"bounds {bounds}: {wanted}")
    return _tuples(low), _tuples(high)


def _tuples(array: np.ndarray) -> Limit:
    return tuple(map(_tuples, array)) if array.ndim else float(array)


def limits(bounds: Bounds, x: Array) -> tuple[Array, Array]:
    """The bounds as arrays that broadcast against images `x [B, …]`.

    Raises:
        UserError: if they do not.
    """
    low, high = (jnp.asarray(limit, x.dtype) for limit in bounds)
    for limit in (low, high):
        if limit.ndim >= x.ndim or not _broadcasts(limit.shape, x.shape[1:]):
            raise UserError(
                f"bounds of shape {limit.shape} for images of shape {x.shape[1:]}: give numbers, "
                "or one each a channel, the last axis"
            )
    return low, high


def _broadcasts(shape: tuple[int, ...], onto: tuple[int, ...]) -> bool:
    pairs = zip(shape[::-1], onto[::-1], strict=False)
    return all(length in (1, whole) for length, whole in pairs)


def checked_images(x: Any, bounds: Bounds) -> Array:
    """Images `[B, …]` as a jax array of at least float32.

    Raises:
        UserError: if they are no batch of floats, or lie outside the bounds.
    """
    x = numbers("images", x, "give floats within the bounds, of uint8 images x / 255.0")
    shape, kind = x.shape, x.dtype
    if not jnp.issubdtype(kind, jnp.floating):
        raise UserError(
            f"images of type {kind}: give floats within the bounds, of uint8 images x / 255.0"
        )
    if len(shape) < 2 or 0 in shape:
        raise UserError(f"images of shape {shape}: give a batch [B, …] of at least one, x[None]")
    wide = jnp.promote_types(jax.dtypes.canonicalize_dtype(kind), jnp.float32)
    images = jnp.asarray(x, wide)
    limits(bounds, images)
    if not is_traced(x):
        _check_within(np.asarray(x, wide), bounds)
    return images


def _check_within(x: np.ndarray, bounds: Bounds) -> None:
    """Refuse images outside the bounds, in NumPy: under `jit` jax would trace even constants.

    Raises:
        UserError: if so, with the likely remedy.
    """
    low, high = (np.asarray(limit, x.dtype) for limit in bounds)
    if np.all((x >= low) & (x <= high)):
        return
    least, most = float(x.min()), float(x.max())
    said = f"images from {least:.6g} to {most:.6g}, bounds {bounds[0]} to {bounds[1]}: "
    if not np.isfinite(least + most):
        raise UserError(said + "make them finite")
    if least >= 0 and most > 2:
        raise UserError(said + "divide by 255, or give the attack bounds=(0, 255)")
    if bounds == (0.0, 1.0) and least > -0.01 and most < 1.01:
        raise UserError(said + "bring them within, by jnp.clip(x, 0, 1)")
    raise UserError(said + "give the attack their bounds, of normalised images one pair a channel")


def check_keys(keys: Any, count: int, what: str) -> None:
    """Refuse what is not one key for each of so many examples; `what` needs them.

    Raises:
        UserError: if so.
    """
    if keys is None:
        raise UserError(f"{what} needs keys: pass attacks.example_keys(key, indices)")
    typed = hasattr(keys, "dtype") and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    if not typed or keys.shape != (count,):
        what = f"keys of shape {keys.shape}" if typed else f"{type(keys).__name__} for keys"
        raise UserError(
            f"{what}: pass attacks.example_keys(jax.random.key(0), jnp.arange({count}))"
        )
