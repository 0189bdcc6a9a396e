"""Unpickling without running what a pickle asks for, or giving it memory for what it only claims.

CIFAR-10's Python batches are pickles, and a pickle may name any function and have it called. This
unpickler admits only what those batches hold (dictionaries, lists, strings, integers and numpy
arrays of numbers) and refuses every other name before anything is called. Arrays are as large as
the bytes that come with them.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_NDARRAY = "numpy.ndarray"  # an argument of `_reconstruct`, never called
# What arrays in containers are never written with, and what could ask for memory by a number.
_UNUSED = ("BYTEARRAY8", "NEXT_BUFFER", "EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ_EX")


class _Kind:
    """A data type as pickles describe it: its code, then among other things its byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("latin1") if isinstance(code, bytes) else code
        if not isinstance(text, str) or not re.fullmatch(r"[<>=|]?[biuf]\d{1,2}", text):
            raise pickle.UnpicklingError(f"the pickle asks for type {code!r}, not admitted")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        order: Any = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array that is empty until its shape, type and bytes arrive and agree with each other."""

    def __setstate__(self, state: Any) -> None:
        *_, shape, kind, fortran, raw = state
        dtype = kind.dtype
        if not isinstance(raw, bytes) or math.prod(shape) * dtype.itemsize != len(raw):
            raise pickle.UnpicklingError(f"an array of shape {shape} with other bytes than its own")
        whole: Any = (1, shape, dtype, bool(fortran), raw)
        super().__setstate__(whole)


def _reconstruct(kind: Any, shape: Any, _: Any) -> _Array:
    """What numpy pickles an array as: an empty one, filled afterwards."""
    if kind is not _NDARRAY or shape != (0,):
        raise pickle.UnpicklingError(f"an array of shape {shape} without bytes is not admitted")
    return np.ndarray.__new__(_Array, (0,), np.uint8)


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self.left = 2 * len(data)  # bytes that may be encoded: each of the pickle's once
        self.admitted: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # written by numpy 1
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,  # written by numpy 2
            ("numpy", "ndarray"): _NDARRAY,
            ("numpy", "dtype"): _Kind,
            ("_codecs", "encode"): self._encode,
        }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in self.admitted:
            raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, not admitted")
        return self.admitted[module, name]

    def _encode(self, text: str, encoding: str) -> bytes:
        """`_codecs.encode` for the one codec by which Python 3 writes bytes in old protocols."""
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"codec {encoding!r} is not admitted")
        self.left -= len(text)
        if self.left < 0:
            raise pickle.UnpicklingError("the same bytes again and again")
        return text.encode("latin1")


def loads_arrays(data: bytes) -> Any:
    """The containers and numpy arrays pickled in `data`; Python 2's strings come as bytes.

    Raises `pickle.UnpicklingError` when the pickle names anything else, and whatever `pickle`
    raises on data that are cut short or corrupt.
    """
    for opcode, argument, _ in pickletools.genops(data):
        # Python fills a list up to the largest number under which a pickle keeps something.
        if opcode.name in _UNUSED or ("PUT" in opcode.name and int(argument or 0) > len(data)):
            raise pickle.UnpicklingError(f"{opcode.name} {argument}, not admitted")
    return _ArrayUnpickler(data).load()
