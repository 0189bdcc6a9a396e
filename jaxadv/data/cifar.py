"""CIFAR-10 as published: six batches of 10,000, binary or pickled, unpacked or in their archive.

A binary record is one label byte, then 3,072 bytes of pixels, channels first. A Python batch is a
pickled dictionary with the same under `data` and `labels`; it is read by `unpickle`, which runs
nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from jaxadv.data.archive import (
    ENDINGS,
    archives_of,
    first_names,
    is_archive,
    members,
    read_bytes,
)
from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import Entry
from jaxadv.data.dataset import Dataset
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.data.unpickle import loads_arrays
from jaxadv.errors import UserError

RECORDS = 10_000  # in each of the six batches
_PIXELS = 3 * 32 * 32
_MOST = 1 << 26  # bytes of a batch's file: twice those of a pickled one
_ENOUGH = 3  # files: beside the six batches lie a page and a list of the classes
_AGAIN = "copy or download it again"

Batch = tuple[np.ndarray, np.ndarray]  # pixels [RECORDS, 3072] uint8, labels [RECORDS]


@dataclass(frozen=True)
class _Layout:
    folder: str
    archive: str  # without the ending, which says how it was packed
    extension: str
    parse: Callable[[bytes, str], Batch]

    @property
    def names(self) -> tuple[str, ...]:
        """The five training batches, then the test batch."""
        stems = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
        return tuple(stem + self.extension for stem in stems)


def find(folder: Path, entry: Entry) -> Reader | None:
    """A reader of the CIFAR-10 batches or archives in `folder`, `None` if there are none.

    An archive is known by its published name, however it is packed, or by the batches in it.
    """
    for layout in LAYOUTS:
        for place in (folder / layout.folder, folder):
            files = tuple(path for name in layout.names if (path := place / name).is_file())
            if files:
                read = partial(_read_files, files, place, layout, entry)
                return Reader(place, files, read, published_order=True)
    for path, layout in _archives(folder, entry):
        read = partial(_read_archive, path, layout, entry)
        return Reader(path, (path,), read, slow=True, published_order=True)
    return None


def _parse_binary(data: bytes, where: str) -> Batch:
    """The pixels and labels of one binary batch; `UserError` naming `where` on another length."""
    expected = RECORDS * (1 + _PIXELS)
    if len(data) != expected:
        raise UserError(
            f"{where}: {len(data)} bytes found, {expected} expected ({RECORDS} records of "
            f"{1 + _PIXELS}); {_AGAIN}"
        )
    records = np.frombuffer(data, np.uint8).reshape(RECORDS, 1 + _PIXELS)
    return records[:, 1:], records[:, 0]


def parse_python(data: bytes, where: str) -> Batch:
    """The pixels and labels of one pickled batch, or `UserError` naming `where`."""
    try:
        batch = loads_arrays(data)
    except Exception as error:  # corrupt pickles raise almost anything
        raise UserError(f"{where}: not a CIFAR-10 batch ({one_line(error)}); {_AGAIN}") from error
    pixels, labels = (_entry(batch, key, where) for key in ("data", "labels"))
    if pixels.dtype != np.uint8 or pixels.shape != (RECORDS, _PIXELS):
        raise UserError(
            f"{where}: data of type {pixels.dtype} and shape {pixels.shape} found, uint8 of "
            f"({RECORDS}, {_PIXELS}) expected; {_AGAIN}"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (RECORDS,):
        raise UserError(
            f"{where}: labels of type {labels.dtype} and shape {labels.shape} found, integers of "
            f"({RECORDS},) expected; {_AGAIN}"
        )
    return pixels, labels


LAYOUTS = (
    _Layout("cifar-10-batches-bin", "cifar-10-binary", ".bin", _parse_binary),
    _Layout("cifar-10-batches-py", "cifar-10-python", "", parse_python),
)


def _archives(folder: Path, entry: Entry) -> Iterator[tuple[Path, _Layout]]:
    """Archives of batches: by their names, which costs no reading, then by their contents."""
    for layout in LAYOUTS:
        for ending in (".tar.gz", *ENDINGS):  # as published first
            if is_archive(path := folder / f"{layout.archive}{ending}"):
                yield path, layout
    for path in archives_of(folder, entry):
        inside = {PurePosixPath(name).name for name in first_names(path, _ENOUGH)}
        for layout in LAYOUTS:
            if inside & set(layout.names):
                yield path, layout


def _entry(batch: object, key: str, where: str) -> np.ndarray:
    """`batch[key]` as an array; the published pickles have bytes for keys, Python 3's strings.

    A list has numbers in it and nothing else: lists of one list, again and again, are short in a
    file and without end in memory.
    """
    spelled = [k for k in (key.encode(), key) if isinstance(batch, dict) and k in batch]
    if not spelled:
        raise UserError(f"{where}: no {key!r} found, a dictionary with it expected; {_AGAIN}")
    found = batch[spelled[0]]  # type: ignore[index]
    if isinstance(found, np.ndarray):
        return found.view(np.ndarray)
    if not isinstance(found, list) or any(not isinstance(x, int | float) for x in found):
        raise UserError(f"{where}: {key} is neither an array nor a list of numbers; {_AGAIN}")
    return np.asarray(found)


def _read_files(
    files: tuple[Path, ...], place: Path, layout: _Layout, entry: Entry, progress: bool
) -> Decoded:
    del progress  # six files take a fraction of a second
    batches = {path.name: read_bytes(path, _MOST) for path in files}
    return _decode(batches, place, layout, entry)


def _read_archive(path: Path, layout: _Layout, entry: Entry, progress: bool) -> Decoded:
    def is_batch(name: str) -> bool:
        return PurePosixPath(name).name in layout.names

    found = members(path, progress, is_batch, _MOST)
    batches = {PurePosixPath(name).name: data for name, data in found}
    return _decode(batches, path, layout, entry)


def _decode(batches: dict[str, bytes], place: Path, layout: _Layout, entry: Entry) -> Decoded:
    for name in layout.names:
        if name not in batches:
            raise UserError(f"{place}: {name} is missing, six batches expected; {_AGAIN}")
    parsed = {name: layout.parse(batches[name], f"{place}: {name}") for name in layout.names}
    *train, test = (_dataset(*parsed[name], f"{place}: {name}", entry) for name in layout.names)
    images, labels = zip(*train, strict=True)
    return Decoded(Dataset(np.concatenate(images), np.concatenate(labels)), test)


def _dataset(pixels: np.ndarray, labels: np.ndarray, where: str, entry: Entry) -> Dataset:
    channels_last = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return checked(channels_last, labels, len(entry.class_names), where)
