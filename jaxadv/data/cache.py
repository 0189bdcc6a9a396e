"""Decoded arrays kept as one uncompressed .npz file for each source.

Its zip checksums are verified on load. The file carries a fingerprint of the files it was decoded
from; when they change it is written anew. A cache that cannot be read or written costs time, never
the data.
"""

import contextlib
import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

from jaxadv import npz
from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import CATALOGUE, Entry
from jaxadv.data.dataset import Dataset
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.errors import printable

FORMAT = 1  # raise it when decoding changes, and every cache is rebuilt
_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "jpeg")


def read_cached(name: str, reader: Reader, cache_dir: Path, progress: bool) -> Decoded:
    """What `reader` decodes, from the cache if it is there and still true.

    Only slow readers are cached. Warns in one line about a corrupt or unwritable cache.
    """
    if not reader.slow:
        return reader.read(progress)
    path = cache_path(name, reader, cache_dir)
    key = fingerprint(reader)
    decoded = _load(path, key, CATALOGUE[name])
    if decoded is None:
        decoded = reader.read(progress)
        _store(path, key, decoded)
    return decoded


def default_cache_dir() -> Path:
    """`$JAXADV_CACHE`, else `$XDG_CACHE_HOME/jaxadv`, else `~/.cache/jaxadv`."""
    if own := os.environ.get("JAXADV_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxadv"


def cache_path(name: str, reader: Reader, cache_dir: Path) -> Path:
    """One file a source: a changed source overwrites its own, another source has another."""
    place = hashlib.sha256(os.fsencode(reader.place.resolve())).hexdigest()[:12]
    return cache_dir / f"{name}-{place}.npz"


def fingerprint(reader: Reader) -> str:
    """A digest of the source files' names, sizes and modification times, and of the format."""
    digest = hashlib.sha256(f"jaxadv {FORMAT}".encode())
    for path in reader.files:
        status = path.stat()
        digest.update(os.fsencode(path.resolve()) + b"\0")
        digest.update(f"{status.st_size} {status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _load(path: Path, key: str, entry: Entry) -> Decoded | None:
    try:
        if npz.read(path, "fingerprint".__eq__)["fingerprint"].item() != key:
            return None
        stored = npz.read(path, _ARRAYS.__contains__)
        train = _checked(stored["train_images"], stored["train_labels"], entry)
        test = _checked(stored["test_images"], stored["test_labels"], entry)
        return Decoded(train, test, jpeg=bool(stored["jpeg"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # what damage raises depends on the byte
        warnings.warn(
            printable(
                f"{path}: cache file is corrupt or unreadable ({one_line(error)}); decoding again"
            ),
            stacklevel=2,
        )
        return None


def _checked(images: np.ndarray, labels: np.ndarray, entry: Entry) -> Dataset:
    if images.dtype != np.uint8 or images.shape[1:] != entry.image_shape:
        raise ValueError(f"images of type {images.dtype} and shape {images.shape}")
    return checked(images, labels, len(entry.class_names), "cache")


def _store(path: Path, key: str, decoded: Decoded) -> None:
    """Writes to a temporary name and renames, so that no reader ever sees half a file."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            np.savez(
                file,
                fingerprint=np.asarray(key),
                train_images=decoded.train.images,
                train_labels=decoded.train.labels,
                test_images=decoded.test.images,
                test_labels=decoded.test.labels,
                jpeg=np.asarray(decoded.jpeg),
            )
        os.replace(temporary, path)
    except OSError as error:
        warnings.warn(
            printable(
                f"{path}: cache not written ({one_line(error)}); the next run decodes again, "
                "set JAXADV_CACHE to a writable folder"
            ),
            stacklevel=2,
        )
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
