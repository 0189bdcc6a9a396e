"""A user's own arrays as `Splits`, and the checks that every dataset passes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxadv.data.dataset import Dataset, Splits
from jaxadv.errors import UserError


def from_arrays(
    train_images: Any,
    train_labels: Any,
    test_images: Any,
    test_labels: Any,
    name: str = "arrays",
    class_names: Sequence[str] | None = None,
) -> Splits:
    """A user's own images and labels, checked.

    Images are `[N, H, W, C]` or `[N, H, W]` (given a channel axis), uint8 in 0..255 or floating in
    [0, 1] (kept as float32), the same type and shape in both sets. Labels are `[N]` integers from
    0. Without `class_names` the classes are numbered up to the largest label.

    Raises `UserError`, one line that names the array, the value found and the remedy.
    """
    train_x, test_x = _images(train_images, "train_images"), _images(test_images, "test_images")
    train_y, test_y = _labels(train_labels, "train_labels"), _labels(test_labels, "test_labels")
    if train_x.shape[1:] != test_x.shape[1:] or train_x.dtype != test_x.dtype:
        raise UserError(
            f"test_images are {_describe(test_x)} but train_images are {_describe(train_x)}; "
            "give both sets one shape and type"
        )
    if class_names is None:
        n_classes = 1 + int(max(train_y.max(initial=0), test_y.max(initial=0)))
        class_names = [str(label) for label in range(n_classes)]
    return Splits(
        name=name,
        title=name,
        source="arrays",
        train=checked(train_x, train_y, len(class_names), "train_images and train_labels"),
        test=checked(test_x, test_y, len(class_names), "test_images and test_labels"),
        class_names=tuple(class_names),
    )


def checked(images: np.ndarray, labels: np.ndarray, n_classes: int, where: str) -> Dataset:
    """`Dataset(images, labels)` if they agree, `UserError` naming `where` if not.

    images `[N, H, W, C]`, N > 0; labels `[N]` integers in 0..n_classes - 1, returned as int32.
    """
    if len(images) != len(labels):
        raise UserError(
            f"{where}: {len(images)} images but {len(labels)} labels; give one label an image"
        )
    if len(images) == 0:
        raise UserError(f"{where}: 0 images found, at least 1 expected; give a set with images")
    out_of_range = (labels < 0) | (labels >= n_classes)
    if out_of_range.any():
        at = int(np.argmax(out_of_range))
        raise UserError(
            f"{where}: label {labels[at]} at index {at}, expected 0..{n_classes - 1}; "
            "correct the label or the number of classes"
        )
    return Dataset(np.ascontiguousarray(images), labels.astype(np.int32))


def _images(value: Any, name: str) -> np.ndarray:
    images = _array(value, name)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape[1:]:
        raise UserError(
            f"{name} has shape {images.shape}, expected [N, H, W, C] or [N, H, W]; reshape it"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"{name} is of type {images.dtype}, expected uint8 (0..255) or float in [0, 1]; "
            f"convert it, for instance with {name}.astype(np.uint8)"
        )
    return _in_unit_interval(images.astype(np.float32), name)


def _in_unit_interval(images: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(images).all():
        raise UserError(
            f"{name} has {np.sum(~np.isfinite(images))} values that are NaN or infinite, expected "
            "finite ones in [0, 1]; clean it first"
        )
    low, high = images.min(initial=0.0), images.max(initial=0.0)
    if low < 0 or high > 1:
        raise UserError(
            f"{name} is floating with values from {low:g} to {high:g}, expected [0, 1]; "
            "rescale it (divide by 255, say) or give uint8"
        )
    return images


def _labels(value: Any, name: str) -> np.ndarray:
    labels = _array(value, name)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"{name} is {_describe(labels, start=0)}, expected integers of shape [N]; give class "
            "indices (argmax of one-hot rows, say)"
        )
    return labels


def _array(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:  # a ragged list
        raise UserError(
            f"{name} is ragged, expected one rectangular array; give all images one size"
        ) from error


def _describe(array: np.ndarray, start: int = 1) -> str:
    return f"{array.dtype} of shape {array.shape[start:]}"
