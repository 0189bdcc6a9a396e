"""IDX, the format of MNIST and FashionMNIST: four files, plain or compressed.

A file is a magic number (two zero bytes, a type code, the number of dimensions), the dimensions as
big-endian 32-bit integers, then the values in C order.
"""

import lzma
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import Entry
from jaxadv.data.compression import unpacked
from jaxadv.data.dataset import Dataset
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.errors import UserError

_UINT8 = 0x08
_STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_MOST = 1 << 30  # bytes of an array: 20 times those of the largest published one
_AGAIN = "copy or download the file again"


def find(folder: Path, entry: Entry) -> Reader | None:
    """A reader of the IDX files in `folder`, `None` if none of the four is there.

    Raises `UserError` when some of the four are there and others are not.
    """
    found = {stem: _spelled(folder, stem) for stem in _STEMS}
    files = tuple(path for path in found.values() if path is not None)
    if not files:
        return None
    for stem, path in found.items():
        if path is None:
            raise UserError(
                f"{folder}: {_spellings(stem)[0]} is missing, expected beside {files[0].name}; "
                "copy or download it there"
            )
    return Reader(folder, files, lambda _: _read(files, entry), published_order=True)


def read_idx(path: Path, n_dims: int) -> np.ndarray:
    """The uint8 array of `n_dims` dimensions in an IDX file, plain or compressed.

    Its contents, not its name, say which: browsers unpack a `.gz` and leave it its name. No more is
    read than its header announces.

    Raises `UserError` on a wrong magic number, type, number of dimensions, size or length.
    """
    header = 4 + 4 * n_dims
    try:
        with path.open("rb") as file, unpacked(file) as contents:
            head = contents.read(header)
            shape = _shape(head, n_dims, path)
            size = math.prod(shape)
            data = _at_most(contents, size + 1)  # one more than there should be
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:  # cut short, or corrupt
        raise UserError(
            f"{path}: {one_line(error)}; a complete readable file expected, {_AGAIN}"
        ) from error
    if len(data) != size:
        more = "more than " if len(data) > size else ""
        raise UserError(
            f"{path}: {more}{header + min(len(data), size)} bytes found, {header + size} expected "
            f"for shape {shape}; {_AGAIN}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _at_most(contents: IO[bytes], count: int) -> bytearray:
    """So many bytes, or those there are, in pieces: memory is for what is read, not for a claim."""
    data = bytearray()
    while len(data) < count and (piece := contents.read(min(1 << 20, count - len(data)))):
        data += piece
    return data


def _shape(head: bytes, n_dims: int, path: Path) -> tuple[int, ...]:
    """The shape in a header, of an array that can be."""
    if len(head) < 4 + 4 * n_dims:
        raise UserError(
            f"{path}: {len(head)} bytes found, at least {4 + 4 * n_dims} expected; {_AGAIN}"
        )
    magic, *shape = struct.unpack(f">{1 + n_dims}I", head)
    expected = _UINT8 << 8 | n_dims
    if magic != expected:
        raise UserError(
            f"{path}: magic number {magic} found, {expected} expected (IDX of unsigned "
            f"bytes with {n_dims} dimensions); {_AGAIN}"
        )
    if math.prod(shape) > _MOST:
        raise UserError(
            f"{path}: shape {tuple(shape)} found, at most {_MOST:,} bytes expected; {_AGAIN}"
        )
    return tuple(shape)


def _read(files: tuple[Path, ...], entry: Entry) -> Decoded:
    train_images, train_labels, test_images, test_labels = files
    return Decoded(
        _dataset(train_images, train_labels, entry), _dataset(test_images, test_labels, entry)
    )


def _dataset(images_path: Path, labels_path: Path, entry: Entry) -> Dataset:
    images, labels = read_idx(images_path, 3)[..., None], read_idx(labels_path, 1)
    if images.shape[1:] != entry.image_shape:
        raise UserError(
            f"{images_path}: images of shape {images.shape[1:]} found, {entry.image_shape} "
            f"expected for {entry.title}; point --data-dir at the files of {entry.title}"
        )
    where = f"{images_path} and {labels_path.name}"
    return checked(images, labels, len(entry.class_names), where)


def _spellings(stem: str) -> tuple[str, ...]:
    kind = "idx3" if stem.endswith("images") else "idx1"
    plain = (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte")
    return plain + tuple(f"{name}.gz" for name in plain)


def _spelled(folder: Path, stem: str) -> Path | None:
    paths = (folder / name for name in _spellings(stem))
    return next((path for path in paths if path.is_file()), None)
