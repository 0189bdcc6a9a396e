"""IDX, the format of MNIST and FashionMNIST: four files, plain or compressed.

A file is a magic number (two zero bytes, a type code, the number of dimensions), the dimensions as
big-endian 32-bit integers, then the values in C order.
"""

import lzma
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import Entry
from jaxadv.data.compression import unpacked
from jaxadv.data.dataset import Dataset
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.errors import UserError

_UINT8 = 0x08
_STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
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

    Its contents, not its name, say which: browsers unpack a `.gz` and leave it its name.

    Raises `UserError` on a wrong magic number, type, number of dimensions or length.
    """
    data = _bytes(path)
    expected_magic = _UINT8 << 8 | n_dims
    header = 4 + 4 * n_dims
    if len(data) < header:
        raise UserError(f"{path}: {len(data)} bytes found, at least {header} expected; {_AGAIN}")
    (magic,) = struct.unpack_from(">I", data)
    if magic != expected_magic:
        raise UserError(
            f"{path}: magic number {magic} found, {expected_magic} expected (IDX of unsigned "
            f"bytes with {n_dims} dimensions); {_AGAIN}"
        )
    shape = struct.unpack_from(f">{n_dims}I", data, 4)
    length = header + math.prod(shape)
    if len(data) != length:
        raise UserError(
            f"{path}: {len(data)} bytes found, {length} expected for shape {shape}; {_AGAIN}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


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


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file, unpacked(file) as contents:
            return contents.read()
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:  # cut short, or corrupt
        raise UserError(
            f"{path}: {one_line(error)}; a complete readable file expected, {_AGAIN}"
        ) from error


def _spellings(stem: str) -> tuple[str, ...]:
    kind = "idx3" if stem.endswith("images") else "idx1"
    plain = (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte")
    return plain + tuple(f"{name}.gz" for name in plain)


def _spelled(folder: Path, stem: str) -> Path | None:
    paths = (folder / name for name in _spellings(stem))
    return next((path for path in paths if path.is_file()), None)
