"""Encoded pictures to arrays of one shape, and arrays to another size, through Pillow."""

import io
import struct

import numpy as np
from PIL import Image

from jaxadv.data.reader import one_line
from jaxadv.errors import UserError

# All that Pillow raises on damaged or oversized pictures.
_PILLOW_RAISES = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
_EIGHT_BIT = ("1", "L", "LA", "P", "RGB", "RGBA")


def decode(data: bytes, shape: tuple[int, int, int], where: str) -> tuple[np.ndarray, bool]:
    """A PNG or JPEG file's pixels as uint8 of `shape` (H, W, 1 or 3), and whether it was JPEG.

    Raises `UserError` naming `where` on another size, on more than 8 bits a channel and on
    corrupt data.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.size != (width, height):
                raise UserError(
                    f"{where}: {image.size[0]}x{image.size[1]} pixels found, {width}x{height} "
                    "expected; give images of the dataset's own size"
                )
            if image.mode not in _EIGHT_BIT:
                raise UserError(
                    f"{where}: Pillow mode {image.mode} found, 8 bits a channel expected; "
                    "convert the image to 8 bits"
                )
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
            return pixels.reshape(shape), image.format == "JPEG"
    except UserError:
        raise
    except _PILLOW_RAISES as error:
        raise UserError(
            f"{where}: not a complete PNG or JPEG image ({one_line(error)}); copy it again"
        ) from error


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 images `[N, H, W, C]` as `[N, size, size, C]`, by Pillow's bilinear filter.

    Shrinking averages over the pixels a new one covers, so it does not alias.
    """
    if images.shape[1:3] == (size, size):
        return images
    n, _, _, channels = images.shape
    out = np.empty((n, size, size, channels), np.uint8)
    for index in range(n):
        for channel in range(channels):
            picture = Image.fromarray(np.ascontiguousarray(images[index, :, :, channel]))
            resized = picture.resize((size, size), Image.Resampling.BILINEAR)
            out[index, :, :, channel] = np.asarray(resized)
    return out
