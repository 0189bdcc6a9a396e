"""What `torch.save` wrote, read without PyTorch: where in a file its pickle and its numbers lie.

They are members of a zip archive, or in files from before 2020 (and of
`_use_new_zipfile_serialization=False`) one after another.
"""

import io
import os
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv.errors import UserError
from jaxadv.models.torch_pickles import Storage, unpickled

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file that is no archive


def load(path: Path) -> Any:
    """What was saved: dictionaries, lists, numbers, `Tensor`, and `Foreign` for all else.

    Raises:
        UserError: if the file is of another kind. A damaged one raises whatever reading it does.
    """
    with path.open("rb") as file:
        return _from_archive(path) if file.read(2) == b"PK" else _from_row(path)


def _from_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise UserError(
            f"{path}: an archive of other files ({', '.join(map(repr, names[:2]))}), neither of "
            "arrays nor written by torch.save; unpack it, and give the weights in it"
        )
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in names:
        raise UserError(f"{path}: a TorchScript program; save its model.state_dict()")
    if f"{root}byteorder" in names:
        _check_order(path, _member(path, f"{root}byteorder") == b"little")

    def storage(kind: str, count: int, key: str) -> Storage:
        return Storage(kind, count, partial(_member, path, f"{root}data/{key}"))

    return unpickled(io.BytesIO(_member(path, pickles[0])), storage)


def _member(path: Path, name: str) -> bytes:
    """A member, its checksum looked at; it is as long as in the file, for none is compressed."""
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{name!r} is compressed, which torch.save does not do")
        return archive.read(name)


def _from_row(path: Path) -> Any:
    """Pickles in a row: a magic number, a version, the system, what was saved, storages' keys.

    Then each storage: how many numbers, in eight bytes, and the numbers.
    """
    named: dict[str, tuple[str, int]] = {}
    places: dict[str, int] = {}

    def storage(kind: str, count: int, key: str) -> Storage:
        named[key] = kind, count
        size = count * np.dtype(kind).itemsize
        return Storage(kind, count, lambda: _bytes_at(path, places[key], size))

    with path.open("rb") as file:
        if unpickled(file, storage) != _MAGIC:
            raise UserError(
                f"{path}: a pickle that torch.save did not write; save model.state_dict() by it"
            )
        _, system, saved, keys = (unpickled(file, storage) for _ in range(4))
        _check_order(path, system["little_endian"] is True)
        for key in keys:
            kind, count = named[key]
            if int.from_bytes(file.read(8), "little") != count:
                raise ValueError(f"a storage of another length than {count}")
            places[key] = file.tell()
            if file.seek(count * np.dtype(kind).itemsize, os.SEEK_CUR) > path.stat().st_size:
                raise ValueError("it ends within its numbers")
    return saved


def _bytes_at(path: Path, place: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(size)


def _check_order(path: Path, little: bool) -> None:
    if not little:
        raise UserError(f"{path}: numbers in big-endian order; save it on a little-endian machine")
