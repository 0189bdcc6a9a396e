"""A user's labels: class indices from 0, or the line says how to make such of them."""

import warnings
from typing import Any

import numpy as np

from jaxadv.data.given import ORDER, given_array
from jaxadv.errors import UserError

_MOST_CLASSES = 1_000_000  # more are numbers of something else, and naming them fills the memory


def class_labels(value: Any, of: str) -> np.ndarray:
    """`value` as integers `[N]`, of the "train" or the "test" set; any integer type is kept.

    Raises `UserError` on other shapes and types, with the remedy that fits what they look like.
    """
    name = f"{of}_labels"
    labels = given_array(value, name)
    if labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels
    remedy = _of_one_axis(labels, name) if labels.ndim == 1 else _of_more_axes(labels, name)
    raise UserError(
        f"{name} is {labels.dtype} of shape {labels.shape}, expected integers of shape [N]; "
        f"{remedy}"
    )


def numbered_classes(train: np.ndarray, test: np.ndarray) -> tuple[str, ...]:
    """The classes of both sets, named by their numbers from 0 to the largest label.

    Raises `UserError` where labels number something else; warns where class 0, or most classes,
    occur in neither set.
    """
    for labels, name in ((train, "train_labels"), (test, "test_labels")):
        if labels.max(initial=0) >= _MOST_CLASSES:
            raise UserError(
                f"{name} has label {labels.max()}, more than {_MOST_CLASSES:,} classes; number the "
                "classes that occur from 0, names, indices = np.unique(labels, return_inverse=True)"
            )
    occurring = np.union1d(train, test).astype(np.int64)
    count = 1 + int(occurring.max(initial=0))
    if occurring.size and occurring[0] > 0:
        _warn(
            f"class 0 occurs in neither set, the labels run from {occurring[0]} to {count - 1}; if "
            f"they count from {occurring[0]}, give labels - {occurring[0]}, else class_names"
        )
    elif 2 * np.sum(occurring >= 0) < count:
        _warn(
            f"most of {count} classes occur in neither set; if the largest label, {count - 1}, is "
            "meant, give class_names, else correct it"
        )
    return tuple(str(label) for label in range(count))


def refuse_shifted(train: np.ndarray, test: np.ndarray, n_classes: int) -> None:
    """Raises `UserError` if labels are negative, or run from 1 to the number of classes."""
    both = np.concatenate([train, test])
    from_one = both.size and both.min() == 1 and both.max() == n_classes
    for labels, name in ((train, "train_labels"), (test, "test_labels")):
        wrong = labels == n_classes if from_one else labels < 0
        if not wrong.any():
            continue
        at = int(np.argmax(wrong))
        if from_one:
            remedy = "they count from 1, give train_labels - 1 and test_labels - 1"
        elif set(np.unique(both).tolist()) == {-1, 1}:
            remedy = "correct it, if -1 and 1 are the classes to (labels + 1) // 2"
        else:
            remedy = f"correct it, or leave out where {name} < 0 if that marks what has no label"
        raise UserError(
            f"{name}: label {labels[at]} at index {at}, expected 0..{n_classes - 1}; {remedy}"
        )


def _of_one_axis(labels: np.ndarray, name: str) -> str:
    """What to do about labels of another type."""
    kind = labels.dtype.kind
    if kind == "b":
        return f"give {name}.astype(np.int32)"
    if kind == "f":
        if np.isfinite(labels).all() and (labels == np.rint(labels)).all():
            return f"give {name}.astype(np.int32)"
        return "give class indices, not scores, probabilities or values of a regression"
    texts = labels.tolist() if kind in "USO" else []
    if texts and all(str(text).isdecimal() for text in texts):
        return f"give {name}.astype(np.int32)"
    if texts and all(isinstance(text, str) for text in texts):
        return (
            f"give class indices, np.searchsorted(class_names, {name}) with class_names = "
            "np.unique(np.concatenate([train_labels, test_labels]))"
        )
    return "give class indices"


def _of_more_axes(labels: np.ndarray, name: str) -> str:
    """What to do about labels of another shape."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return f"give {name}[:, 0]"
    if labels.ndim == 2 and labels.shape[0] == 1:
        return f"give {name}[0]"
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        sums = labels.sum(axis=1, dtype=np.float64)
        if np.allclose(sums, 1, atol=0.01) or labels.dtype.kind == "f":
            return f"give class indices, {name}.argmax(axis=1) of one-hot rows or scores"
        return "give one class index an image; several classes an image are not supported"
    if labels.ndim > 2:
        return f"these look like images; {ORDER}"
    return "give class indices, one an image"


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)
