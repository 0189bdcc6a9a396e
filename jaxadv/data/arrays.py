"""A user's own arrays as `Splits`, and the checks that every dataset passes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxadv.data.dataset import Dataset, Splits
from jaxadv.data.given_images import both_images, refuse_black_and_white
from jaxadv.data.given_labels import class_labels, numbered_classes, refuse_shifted
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

    Images: `[N, H, W, C]`, or `[N, H, W]`, which get a channel axis; uint8 in 0..255, or floats in
        [0, 1] of any width, which are kept as float32; of one type and image shape in both sets.
    Labels: `[N]` integers from 0.
    name: what results call the data by.
    class_names: one a class; by default the numbers up to the largest label.

    Warns in one line where images are very dark or classes do not occur, which may be meant.

    >>> import numpy as np
    >>> from jaxadv import data
    >>> images, labels = np.array([0.25, 0.75]).reshape(2, 1, 1) * np.ones((2, 4, 4)), [0, 1]
    >>> splits = data.from_arrays(images, labels, images, labels, name="grey")
    >>> splits.train.images.shape, splits.class_names
    ((2, 4, 4, 1), ('0', '1'))

    Raises:
        UserError: images of another type or scale (0 and 1 as uint8, say), channels first, labels
            that are no class indices (one-hot, text, 1 to C), lengths that differ.
    """
    if not isinstance(name, str) or not name:
        raise UserError(f"name is {name!r}; give the text that results call the data by")
    train_y, test_y = class_labels(train_labels, "train"), class_labels(test_labels, "test")
    train_x, test_x = both_images(train_images, test_images)
    if (len(train_x), len(test_x)) == (len(test_y), len(train_y)) != (len(train_y), len(test_y)):
        raise UserError(
            f"train_images has {len(train_x)} images and train_labels {len(train_y)} labels, the "
            "test set the reverse; exchange the train_labels and the test_labels"
        )
    names = numbered_classes(train_y, test_y) if class_names is None else _names(class_names)
    refuse_shifted(train_y, test_y, len(names))
    return Splits(
        name=name,
        title=name,
        source="arrays",
        train=checked(train_x, train_y, len(names), "train_images and train_labels"),
        test=checked(test_x, test_y, len(names), "test_images and test_labels"),
        class_names=names,
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
    refuse_black_and_white(images, where, "images")
    return Dataset(np.ascontiguousarray(images), labels.astype(np.int32))


def _names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Class names as text, one a class and no two the same."""
    if isinstance(class_names, str | bytes | dict | set | frozenset):
        raise UserError(f"class_names is {class_names!r}; give a list of names, in label order")
    try:
        names = tuple(str(name) for name in class_names)
    except TypeError as error:
        raise UserError(
            f"class_names is {class_names!r}; give a list of names, one a class"
        ) from error
    repeated = [name for name in names if names.count(name) > 1]
    if repeated or not names:
        found = f"has {repeated[0]!r} {names.count(repeated[0])} times" if repeated else "is empty"
        raise UserError(f"class_names {found}; give every class a name of its own")
    return names
