"""Unpickling without running what a pickle asks for.

CIFAR-10's Python batches are pickles, and a pickle may name any function and have it called. This
unpickler admits only what those batches hold (dictionaries, lists, strings, integers and numpy
arrays) and refuses every other name before anything is called.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

_RECONSTRUCT: Any = np.empty(0).__reduce__()[0]  # what numpy pickles an array as


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode` for the one codec by which Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"codec {encoding!r} is not admitted")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,  # written by numpy 1
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,  # written by numpy 2
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, not admitted")
        return _ADMITTED[module, name]


def loads_arrays(data: bytes) -> Any:
    """The containers and numpy arrays pickled in `data`; Python 2's strings come as bytes.

    Raises `pickle.UnpicklingError` when the pickle names anything else, and whatever `pickle`
    raises on data that are cut short or corrupt.
    """
    return _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
