"""`load_dataset`: a named dataset from the first source that has it, and never another one."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from jaxadv.data import files, tfds
from jaxadv.data.cache import default_cache_dir, read_cached
from jaxadv.data.catalogue import CATALOGUE, DATASETS
from jaxadv.data.dataset import Dataset, Splits
from jaxadv.data.digits import read_digits
from jaxadv.data.image import resize
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.errors import UserError

Source = Literal["auto", "files", "tfds"]
_SOURCES = ("auto", "files", "tfds")
_LARGEST = 1024  # pixels; larger is a slip, and would fill the memory


def load_dataset(
    name: str,
    source: Source = "auto",
    data_dir: str | Path | None = None,
    *,
    image_size: int | None = None,
    cache_dir: str | Path | None = None,
    progress: bool = True,
) -> Splits:
    """The training and the test set of a named dataset, uint8 `[N, H, W, C]` and int32 `[N]`.

    name: one of `DATASETS`; `"digits"` is embedded and needs no file.
    source: `"files"`, `"tfds"` (prepared first if need be, which takes TensorFlow and a network),
        or `"auto"`: files, else what tfds has already prepared.
    data_dir: holds the files, in a folder of the dataset's name or itself; by default
        `$JAXADV_DATA`, else `./data`. tfds looks there too, then in its own folder.
    image_size: resize to this height and width, in pixels (bilinear); by default as published.
    cache_dir: where slow decodings are kept; by default `$JAXADV_CACHE`, else the user's cache.
    progress: show a bar on stderr, if that is a terminal, while decoding.

    `Splits.source` says where the data came from.

    >>> from jaxadv import data
    >>> splits = data.load_dataset('digits')
    >>> splits.title, splits.train.images.shape, splits.test.images.shape
    ('digits 8x8', (1437, 8, 8, 1), (360, 8, 8, 1))

    Raises:
        UserError: an unknown name, data that are not found, a file that is corrupt or of another
            dataset, an option that cannot be.
    """
    _check_arguments(name, source, image_size)
    if name == "digits":
        splits = _splits(name, read_digits(), "embedded (scikit-learn)", published=True)
    else:
        folder = _folder(cache_dir, "cache_dir") if cache_dir else default_cache_dir()
        try:
            reader, origin = _find(name, source, data_dir, progress)
            decoded = read_cached(name, reader, folder, progress)
        except OSError as error:  # its text names the file
            raise UserError(f"{one_line(error)}; make the files of {name!r} readable") from error
        files.check_identity(name, decoded, reader.place)
        published = files.has_published_labels(name, decoded, reader.published_order)
        splits = _splits(name, decoded, origin, published)
    return splits if image_size is None else _resized(splits, int(image_size))


def _check_arguments(name: str, source: str, image_size: int | None) -> None:
    if not isinstance(name, str) or name not in CATALOGUE:
        raise UserError(f"unknown dataset {name!r}; choose one of {', '.join(DATASETS)}")
    if source not in _SOURCES:
        raise UserError(f"unknown source {source!r}; choose one of {', '.join(_SOURCES)}")
    if name == "digits" and source != "auto":
        raise UserError(f"dataset 'digits' is embedded, source {source!r} has none; use 'auto'")
    if image_size is not None and (
        isinstance(image_size, bool)
        or not isinstance(image_size, int | np.integer)
        or not 1 <= image_size <= _LARGEST
    ):
        raise UserError(
            f"image_size is {image_size!r}; give a whole number of pixels, 1 to {_LARGEST}"
        )


def _folder(path: str | Path, argument: str) -> Path:
    try:
        return Path(path).expanduser()
    except (TypeError, RuntimeError) as error:  # no path, or the home of nobody
        raise UserError(f"{argument} is {path!r} ({one_line(error)}); give a folder") from error


def _find(
    name: str, source: str, data_dir: str | Path | None, progress: bool
) -> tuple[Reader, str]:
    """A reader of the dataset and what results call its source."""
    given = data_dir or os.environ.get("JAXADV_DATA") or None
    called = "data_dir" if data_dir else "JAXADV_DATA"
    root = _folder(given or "data", called)
    if given and source != "tfds" and not root.is_dir():
        raise UserError(f"{called} {str(root)!r} is not a folder; give the one that holds {name!r}")
    if source != "tfds" and (reader := files.find(name, root)):
        return reader, f"files: {reader.place}"
    if source != "files":
        reader = tfds.find(name, root)
        if reader is None and source == "tfds":
            where = root if data_dir else tfds.default_root()
            tfds.prepare(name, where, progress)
            reader = tfds.find(name, where)
        if reader is not None:
            return reader, f"tfds: {name} {reader.place.name}"
    raise _not_found(name, source, root)


def _not_found(name: str, source: str, root: Path) -> UserError:
    looked = list(files.places(name, root)) if source != "tfds" else []
    if source != "files":
        looked += [place for place in tfds.places(name, root) if place not in looked]
    return UserError(
        f"dataset {name!r} was not found in {', '.join(map(str, looked))}; give the folder of its "
        "files with --data-dir (or JAXADV_DATA), or let tfds download it: "
        "pip install 'jaxadv[tfds]', then --source tfds"
    )


def _splits(name: str, decoded: Decoded, origin: str, published: bool) -> Splits:
    entry = CATALOGUE[name]
    counts = (len(decoded.train.labels), len(decoded.test.labels))
    jpeg = " (JPEG)" if decoded.jpeg else ""
    subset = "" if counts == entry.counts else f", {counts[0]:,} + {counts[1]:,} images"
    other = "" if published else " files with other labels"
    title = f"{entry.title}{jpeg}{other}{subset}"
    return Splits(name, title, origin, decoded.train, decoded.test, entry.class_names)


def _resized(splits: Splits, size: int) -> Splits:
    if splits.image_shape[:2] == (size, size):
        return splits

    def resized(dataset: Dataset) -> Dataset:
        return Dataset(resize(np.asarray(dataset.images), size), dataset.labels)

    return replace(
        splits,
        title=f"{splits.title} resized to {size}x{size}",
        train=resized(splits.train),
        test=resized(splits.test),
    )
