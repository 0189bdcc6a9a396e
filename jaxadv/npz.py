"""Arrays of an `.npz`, whose claims are compared with its bytes before memory is given to them.

NumPy allocates what a header asks for, and unpacks what a zip holds, before it finds either short.
"""

import math
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

_PACKED = 1100  # no deflated byte holds more than 1,032
_PIECE = 1 << 20
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(path: str | Path, wanted: Callable[[str], bool] = lambda _: True) -> dict[str, np.ndarray]:
    """The arrays whose names are wanted, each in memory once; others are not unpacked.

    No pickle is loaded, and checksums are verified.

    Raises:
        ValueError: an array of another size than its bytes, of objects, or named twice.
        OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError: what is no such
            file, is cut or is damaged.
    """
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if not wanted(name):
                continue
            if name in arrays:
                raise ValueError(f"{name!r} comes twice")
            _check_packing(info, os.path.getsize(path))
            with archive.open(info) as file:
                arrays[name] = _array(file, info)
    return arrays


def _check_packing(info: zipfile.ZipInfo, size: int) -> None:
    """Refuse what is packed otherwise than NumPy packs, or in fewer bytes than that can be."""
    stored, name = info.compress_type == zipfile.ZIP_STORED, info.filename
    if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError(f"{name!r} is packed as NumPy packs nothing")
    if info.compress_size > size or info.file_size > info.compress_size * (
        1 if stored else _PACKED
    ):
        raise ValueError(f"{name!r} claims {info.file_size} bytes of {size}")


def _array(file: IO[bytes], info: zipfile.ZipInfo) -> np.ndarray:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"{info.filename!r} has format {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python 2's headers, which are read all the same
        shape, by_columns, dtype = _HEADERS[version](file)
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError(f"{info.filename!r} is of type {dtype}: no numbers or text")
    size, there = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
    if size != there or any(length < 0 for length in shape):
        raise ValueError(f"{info.filename!r} claims shape {shape} of {dtype} for {there} bytes")
    data = np.empty(size, np.uint8)  # costs nothing before it is filled
    filled = 0
    while piece := file.read(_PIECE):
        data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    if filled != size:
        raise EOFError(f"{info.filename!r} ends after {filled} of {size} bytes")
    return data.view(dtype).reshape(shape, order="F" if by_columns else "C")
