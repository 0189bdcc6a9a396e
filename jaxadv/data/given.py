"""What a user gives for an array as the NumPy array it stands for."""

import os
from typing import Any

import numpy as np

from jaxadv.data.dataset import Dataset, Splits
from jaxadv.errors import UserError

ORDER = "the order is train_images, train_labels, test_images, test_labels"


def given_array(value: Any, name: str) -> np.ndarray:
    """`value` as an array; lists, jax arrays and CPU tensors are taken, `name` says whose it is.

    Raises `UserError` on what is no array (a path, a pair, a dataset), or hides entries (a mask).
    """
    _refuse_others(value, name)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise UserError(
            f"{name} has {int(np.ma.count_masked(value))} masked values; leave those examples out, "
            f"or fill them: {name}.filled(0)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise UserError(
            f"{name} is ragged, expected one rectangular array; give all images one size, and the "
            f"parts of a pair of images and labels apart, {ORDER}"
        ) from error
    except Exception as error:  # a tensor on another device or with a gradient, a traced array
        raise UserError(
            f"{name} is a {type(value).__name__} that NumPy cannot read; give a NumPy array (of a "
            "tensor, tensor.detach().cpu().float().numpy())"
        ) from error
    if array.dtype == object and array.ndim == 0:
        raise UserError(
            f"{name} is a {type(value).__name__}, expected an array; give a NumPy array "
            "(np.stack of a list of examples, .toarray() of a sparse matrix)"
        )
    return array


def _refuse_others(value: Any, name: str) -> None:
    if isinstance(value, Splits):
        raise UserError(f"{name} is a Splits; it is ready for use, or give .train.images and so on")
    if isinstance(value, Dataset):
        raise UserError(f"{name} is a Dataset; give its .images or its .labels, {ORDER}")
    if isinstance(value, str | bytes | os.PathLike):
        raise UserError(f"{name} is the text {str(value)!r}; load the file, np.load(path), say")
    if value is None:
        raise UserError(f"{name} is None; give an array, {ORDER}")
