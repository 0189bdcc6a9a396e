"""The central types of this floor: labelled images, and a training and a test set of them."""

from dataclasses import dataclass
from typing import NamedTuple

from jaxadv.types import Array


class Dataset(NamedTuple):
    """Labelled images; a pytree, numpy as loaded and jax once put on a device.

    images: `[N, H, W, C]`, uint8 in 0..255, or float32 in [0, 1] where a study makes its own.
    labels: `[N]`, int32 class indices.
    """

    images: Array
    labels: Array


@dataclass(frozen=True)
class Splits:
    """A training set and a test set, with what a result has to say about them.

    name: the dataset's name, `"mnist"`.
    title: how results name the data honestly: `"MNIST"`; `"CIFAR-10 (JPEG)"` when the pixels come
        from JPEG copies; `"MNIST, 20 + 10 images"` when fewer images than were published.
    source: where it was read, `"files: <folder>"`, `"tfds: mnist 3.0.1"`, `"embedded (...)"`.
    class_names: one a class; its length is the number of classes.
    """

    name: str
    title: str
    source: str
    train: Dataset
    test: Dataset
    class_names: tuple[str, ...]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels
