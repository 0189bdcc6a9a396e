"""The central types of this floor: labelled images, and a training and a test set of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxadv.checks import is_traced, kind_of, numbers
from jaxadv.errors import UserError
from jaxadv.types import Array


class Dataset(NamedTuple):
    """Labelled images; a pytree of NumPy's arrays as loaded, of JAX's once on a device.

    images: `[N, H, W, C]`, uint8 in 0..255, or float32 in [0, 1] where a study makes its own.
    labels: `[N]`, int32 class indices.

    >>> import numpy as np
    >>> from jaxadv import data
    >>> few = data.Dataset(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 0], np.int32))
    >>> few.images.shape, few.labels.tolist()
    ((3, 8, 8, 1), [0, 1, 0])
    """

    images: Array
    labels: Array


@dataclass(frozen=True)
class Splits:
    """A training set and a test set, with what a result has to say about them.

    name: the dataset's name, `"mnist"`.
    title: how results name the data honestly: `"MNIST"`; `"CIFAR-10 (JPEG)"` when the pixels come
        from JPEG copies; `"MNIST, 20 + 10 images"` when there are fewer images than were published.
    source: where it was read, `"files: <folder>"`, `"tfds: mnist 3.0.1"`, `"embedded (...)"`.
    train, test: the images and labels.
    class_names: one a class; its length is the number of classes.

    >>> from jaxadv import data
    >>> splits = data.load_dataset("digits")
    >>> splits.title, splits.image_shape, len(splits.class_names)
    ('digits 8x8', (8, 8, 1), 10)
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


def check_dataset(dataset: Any) -> None:
    """Refuse what is not images with one class index each.

    Raises:
        UserError: if it is no `Dataset`, is empty, its images and labels do not fit each other, or
            the images are no pixels.
    """
    if isinstance(dataset, Splits):
        raise UserError(f"the splits of {dataset.title}: give one of them, .train or .test")
    if not isinstance(dataset, Dataset):
        kind = type(dataset).__name__
        raise UserError(f"a {kind} for a data set: give data.Dataset(images, labels)")
    given = numbers("images", dataset.images, "give [N, …], uint8 of 0 to 255, or floats")
    images, labels = given.shape, _class_indices(dataset.labels).shape
    if len(images) < 2 or len(labels) != 1:
        raise UserError(
            f"images of shape {images} and labels of shape {labels}: give [N, …] and [N]"
        )
    if images[0] != labels[0]:
        raise UserError(f"{images[0]} images, {labels[0]} labels: give one label an image")
    if 0 in images:
        raise UserError(f"images of shape {images}: give at least one")
    check_labels(dataset.labels)
    _check_pixels(dataset.images)


def check_image_type(images: Any) -> None:
    """Refuse images that are neither whole numbers nor floats.

    Raises:
        UserError: if so.
    """
    kind = kind_of(images)
    if not (jnp.issubdtype(kind, jnp.integer) or jnp.issubdtype(kind, jnp.floating)):
        raise UserError(f"images of type {kind}: give uint8 of 0 to 255, or floats")


def _check_pixels(images: Any) -> None:
    """Refuse whole numbers beyond 0…255, and floats that are not finite; what is traced passes.

    Raises:
        UserError: if so, or the images are of another type.
    """
    check_image_type(images)
    if is_traced(images) or images.dtype == np.uint8:
        return
    found = np.asarray(images)
    if jnp.issubdtype(found.dtype, jnp.floating):
        if not np.isfinite(found).all():
            raise UserError(f"{np.sum(~np.isfinite(found))} pixels are not finite: mend the images")
        return
    low, high = int(found.min()), int(found.max())
    if low < 0 or high > 255:
        raise UserError(
            f"images of type {found.dtype} from {low} to {high}: give uint8 of 0 to 255, or floats "
            "in [0, 1]"
        )


def _class_indices(labels: Any) -> Array:
    """Labels as an array of whole numbers.

    Raises:
        UserError: if they are others.
    """
    wanted = "give class indices, whole numbers from 0"
    found = numbers("labels", labels, wanted)
    if found.dtype.kind not in "iu":
        raise UserError(f"labels of type {found.dtype}: {wanted}")
    return found


def check_labels(labels: Any, classes: int | None = None) -> None:
    """Refuse labels that are no class indices, or have no column among so many classes.

    Raises:
        UserError: if so; their values are not looked at where they are traced.
    """
    given = _class_indices(labels)
    if is_traced(given) or given.size == 0:
        return
    found = np.asarray(given)
    low, high = int(found.min()), int(found.max())
    if low < 0 or (classes is not None and high >= classes):
        several = "whole numbers" if classes is None else f"{classes} classes, 0 to {classes - 1}"
        shift = "; subtract 1" if low > 0 and high == classes else ""
        raise UserError(f"labels from {low} to {high}: class indices are {several}{shift}")
