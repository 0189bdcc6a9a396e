"""A figure's pixels in 256 colours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image


def quantised(
    image: Image.Image, colours: Sequence[str], opacities: Sequence[float]
) -> Image.Image:
    """An RGB image in 256 colours, those that tell things apart exactly as they were drawn.

    A median cut alone joins colours that few pixels have, such as two classes' of a scatter.
    colours: that a figure may have. opacities: in which they stand on white.
    """
    pixels = np.asarray(image).astype(np.int32)
    kept = _drawn(pixels, colours, opacities)
    rest = image.quantize(256 - len(kept), dither=Image.Dither.NONE)
    palette = np.zeros((256, 3), np.uint8)
    cut = np.asarray(rest.getpalette(), np.uint8).reshape(-1, 3)[: 256 - len(kept)]
    palette[: len(cut)] = cut
    numbers = np.array(rest)
    for number, colour in enumerate(kept, start=256 - len(kept)):
        palette[number] = colour
        numbers[(pixels == colour).all(axis=-1)] = number
    made = Image.fromarray(numbers, mode="P")
    made.putpalette(palette.ravel().tolist())
    return made


def _drawn(pixels: np.ndarray, names: Sequence[str], opacities: Sequence[float]) -> np.ndarray:
    """Those of the named colours that the pixels have, `[K, 3]`.

    Of each the most frequent that is it but for rounding.
    """
    packed = pixels @ np.array([1 << 16, 1 << 8, 1])
    found, counts = np.unique(packed, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=-1)
    kept: dict[tuple[int, ...], None] = {}
    for name in names:
        for opacity in opacities:
            wanted = 255 * (1 - opacity * (1 - np.asarray(to_rgb(name))))
            near = np.flatnonzero(np.abs(colours - wanted).max(axis=-1) <= 1.5)
            if len(near):
                kept[tuple(colours[near[counts[near].argmax()]])] = None
    return np.array(list(kept), np.int32).reshape(-1, 3)
