"""Where the files of a named dataset are looked for, and which format they turn out to be."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from jaxadv.data import cifar, folders, idx
from jaxadv.data.catalogue import CATALOGUE, Entry
from jaxadv.data.dataset import Dataset
from jaxadv.data.reader import Decoded, Reader
from jaxadv.errors import UserError

# In order of preference: published pixels before copies of them.
_FORMATS: dict[str, tuple[Callable[[Path, Entry], Reader | None], ...]] = {
    "mnist": (idx.find, folders.find),
    "fashion_mnist": (idx.find, folders.find),
    "cifar10": (cifar.find, folders.find),
}


def places(name: str, data_dir: Path) -> tuple[Path, ...]:
    """The folders looked in, in order: the dataset's own under `data_dir`, then `data_dir`.

    FashionMNIST is then looked for where Debian's package `dataset-fashion-mnist` puts it.
    """
    entry = CATALOGUE[name]
    own = (data_dir / folder for folder in entry.folders)
    return (*own, data_dir, *(Path(folder) for folder in entry.system_folders))


def find(name: str, data_dir: Path) -> Reader | None:
    """A reader of the first files found for `name`, `None` if there are none."""
    for folder in places(name, data_dir):
        for find_format in _FORMATS[name]:
            if reader := find_format(folder, CATALOGUE[name]):
                return reader
    return None


def check_identity(name: str, decoded: Decoded, place: Path) -> None:
    """Raises `UserError` if the training labels are those of another dataset.

    MNIST and FashionMNIST share their file names and shapes; only the contents tell them apart.
    """
    crc = _label_crc(decoded.train)
    for other, entry in CATALOGUE.items():
        if entry.label_crc == crc and other != name:
            raise UserError(
                f"{place}: the labels of {entry.title} found, {CATALOGUE[name].title} expected; "
                f"ask for {other!r} or point --data-dir at the files of {name!r}"
            )


def has_published_labels(name: str, decoded: Decoded, published_order: bool) -> bool:
    """Whether sets as large as the published ones may be called by the dataset's bare name.

    Other datasets come under the same file names (KMNIST under MNIST's), and files are shuffled or
    labelled anew. The training labels' checksum tells where the order is the published one; every
    class's share of images is compared in any order. A smaller set says its size instead.
    """
    entry = CATALOGUE[name]
    of_train = len(decoded.train.labels) == entry.counts[0]
    if published_order and of_train and entry.label_crc not in (None, _label_crc(decoded.train)):
        return False
    return all(
        len(dataset.labels) != count or np.array_equal(_shares(dataset, entry), published)
        for dataset, count, published in zip(
            (decoded.train, decoded.test), entry.counts, _published_shares(entry), strict=True
        )
    )


def _label_crc(dataset: Dataset) -> int:
    return zlib.crc32(np.asarray(dataset.labels).astype(np.uint8).tobytes())


def _shares(dataset: Dataset, entry: Entry) -> np.ndarray:
    return np.bincount(np.asarray(dataset.labels), minlength=len(entry.class_names))


def _published_shares(entry: Entry) -> tuple[Sequence[int], Sequence[int]]:
    if entry.class_counts is not None:
        return entry.class_counts
    classes = len(entry.class_names)
    train, test = ([count // classes] * classes for count in entry.counts)
    return train, test
