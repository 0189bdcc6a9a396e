"""A user's images: shape, type and scale are right, or the line says how to make them so.

The advice is worked out from the values of both sets, for both must be treated alike: what fits
another type or range would wrap or cut these.
"""

import math
import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxadv.data.given import given_array
from jaxadv.errors import UserError

_CHANNELS = (1, 2, 3, 4)
_DARK = 32  # of 255; a set that never comes so far has other units (0..16, say) or is night
_DIVIDED_TWICE = 1.0001 / 255  # the largest float that can be, and its rounding

_Both = tuple[np.ndarray, np.ndarray]  # the two sets as given, of any type


def both_images(train_images: Any, test_images: Any) -> _Both:
    """A training and a test set `[N, H, W, C]`, each uint8 or float32 in [0, 1], of one shape.

    Raises `UserError` on other shapes, types and scales; warns where the images are nearly black.
    """
    names = ("train_images", "test_images")
    given = (_shaped(train_images, names[0]), _shaped(test_images, names[1]))
    train, test = (_typed(images, name, given) for images, name in zip(given, names, strict=True))
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        raise UserError(
            f"test_images are {_describe(test)} but train_images are {_describe(train)}; "
            "give both sets one shape and type"
        )
    for images, name in zip((train, test), names, strict=True):
        refuse_black_and_white(images, name, name)
        _warn_if_dark(images, name)
    return train, test


def refuse_black_and_white(images: np.ndarray, where: str, name: str) -> None:
    """Raises `UserError` if uint8 images hold 0 and 1 alone, of 255: they would be nearly black.

    A set that is all 0, or all 1, says nothing about its scale and is taken.
    """
    if images.dtype == np.uint8 and images.size and images.max() == 1 and images.min() == 0:
        raise UserError(
            f"{where}: uint8 with values 0 and 1 only, nearly black where 255 is white; give "
            f"floats, {name}.astype(np.float32)"
        )


def _shaped(value: Any, name: str) -> np.ndarray:
    images = given_array(value, name)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise UserError(
            f"{name} has shape {images.shape}, expected [N, H, W, C] or [N, H, W]; "
            f"{_reshaped(images, name)}"
        )
    channels, height, width = images.shape[1:]
    if channels in _CHANNELS and height > channels and width not in _CHANNELS:
        raise UserError(
            f"{name} has shape {images.shape}, channels first, expected [N, H, W, C]; give "
            f"{name}.transpose(0, 2, 3, 1)"
        )
    return images


def _reshaped(images: np.ndarray, name: str) -> str:
    """What to do about images that are flat, or of another number of axes."""
    if images.dtype == object:
        return f"it holds objects, give np.stack(list({name}))"
    pixels = images.shape[-1] if images.ndim == 2 else 0
    grey, colour = math.isqrt(pixels), math.isqrt(pixels // 3)
    if grey > 1 and grey**2 == pixels:
        return f"reshape it, {name}.reshape(-1, {grey}, {grey}) if the images are square"
    if colour > 1 and 3 * colour**2 == pixels:
        return (
            f"reshape it, {name}.reshape(-1, {colour}, {colour}, 3), or where channels come first "
            f"(CIFAR's batches) {name}.reshape(-1, 3, {colour}, {colour}).transpose(0, 2, 3, 1)"
        )
    return "reshape it"


def _typed(images: np.ndarray, name: str, both: _Both) -> np.ndarray:
    """uint8 as it is, floats of any width as float32 in [0, 1]; `UserError` on other types."""
    if images.dtype == np.uint8:
        return images
    if jnp.issubdtype(images.dtype, jnp.floating):  # unlike NumPy, jax counts bfloat16 as one
        with np.errstate(over="ignore"):
            return _in_unit_interval(images.astype(np.float32), name, both)
    if images.dtype == bool:
        remedy = f"False and True are black and white, give {name}.astype(np.float32)"
    elif jnp.issubdtype(images.dtype, jnp.integer) and images.dtype.kind != "m":  # times count
        remedy = _scaled(name, *_range(both))
    elif images.dtype.kind in "OUS":
        remedy = f"if it holds numbers, np.asarray({name}, np.float32) makes them floats"
    else:
        remedy = "give real numbers"
    raise UserError(
        f"{name} is of type {images.dtype}, expected uint8 (0..255) or float in [0, 1]; {remedy}"
    )


def _range(both: _Both) -> tuple[float, float]:
    """The least and the largest value of both sets, for what is done to one is done to both."""
    numeric = [a.astype(np.float64) for a in both if jnp.issubdtype(a.dtype, jnp.number)]
    finite = [values for a in numeric if (values := a[np.isfinite(a)]).size] or [np.zeros(1)]
    return float(min(map(np.min, finite))), float(max(map(np.max, finite)))


def _scaled(name: str, least: float, largest: float) -> str:
    """How integers from `least` to `largest` come to the right scale, without wrapping."""
    floats = f"{name}.astype(np.float32)"
    if least < 0:
        return (
            f"values run from {least:.9g} to {largest:.9g}, so shift and rescale them, "
            f"({floats} + {-least:.9g}) / {largest - least:.9g} if these two are black and white"
        )
    if largest <= 1:
        return f"0 and 1 are black and white, give {floats}"
    divided = f"{floats} / {largest:.9g} if {largest:.9g}, the largest value, is white"
    if largest > 255:
        return f"divide by what white is, {divided}"
    if largest >= 128:
        return f"convert it, {name}.astype(np.uint8) if 255 is white"
    return f"give {divided}, {name}.astype(np.uint8) if 255 is"


def _in_unit_interval(images: np.ndarray, name: str, both: _Both) -> np.ndarray:
    if not np.isfinite(images).all():
        raise UserError(
            f"{name} has {np.sum(~np.isfinite(images))} values that are NaN or infinite, expected "
            "finite ones in [0, 1]; clean it first"
        )
    low, high = images.min(initial=0.0), images.max(initial=0.0)
    if low < 0 or high > 1:
        raise UserError(
            f"{name} is floating with values from {low:g} to {high:g}, expected [0, 1]; "
            f"{_rescaled(name, *_range(both))}"
        )
    return images


def _rescaled(name: str, least: float, largest: float) -> str:
    """How floats from `least` to `largest` come to [0, 1]."""
    if least < 0:
        return (
            f"rescale it: {name} / 2 + 0.5 if it was made for [-1, 1], {name} * std + mean if it "
            "was normalised, which the network may do itself"
        )
    if 128 <= largest <= 255:
        return f"rescale it, divide by 255: {name} / 255"
    if largest < 1.01:
        return f"rescale it, or cut what rounding or resizing added: {name}.clip(0, 1)"
    return f"rescale it, divide by what white is: {largest:.9g}, the largest, or 255, say"


def _warn_if_dark(images: np.ndarray, name: str) -> None:
    """A whole set that is nearly black: few levels of 255, or floats that were divided twice."""
    largest = float(images.max(initial=0))
    if images.dtype == np.uint8:
        dark, cause = largest < _DARK, f"if {largest:g} is white, give floats divided by it"
    else:
        dark, cause = largest <= _DIVIDED_TWICE, "were they divided by 255 twice?"
    if dark and largest > 0:
        white = 255 if images.dtype == np.uint8 else 1
        warnings.warn(
            f"{name}: the largest value is {largest:.3g} of {white}, nearly black; {cause}",
            stacklevel=4,
        )


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape[1:]}"
