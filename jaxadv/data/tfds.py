"""tensorflow-datasets as a source: reading needs no TensorFlow, preparing does.

A dataset prepared in the array_record format is read by record number; its pictures are decoded
here by Pillow. The module is imported only when something is to be read or prepared.
"""

import importlib
import importlib.util
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import CATALOGUE, Entry
from jaxadv.data.dataset import Dataset
from jaxadv.data.image import decode
from jaxadv.data.progress import progress_bar
from jaxadv.data.reader import Decoded, Reader, one_line
from jaxadv.errors import UserError

_INSTALL = "pip install 'jaxadv[tfds]'"


def default_root() -> Path:
    """The data folder of tfds itself: `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def places(name: str, data_dir: Path) -> tuple[Path, ...]:
    """The folders a prepared `name` is looked for in, in order."""
    return data_dir / name, default_root() / name


def find(name: str, data_dir: Path) -> Reader | None:
    """A reader of the newest prepared version of `name`, `None` if none is prepared."""
    for place in places(name, data_dir):
        infos = place.glob("*/dataset_info.json")
        versions = sorted(filter(_is_finished, infos), key=_version)
        if versions:
            folder = versions[-1].parent
            files = tuple(sorted(path for path in folder.iterdir() if path.is_file()))
            return Reader(folder, files, partial(_read, folder, CATALOGUE[name]), slow=True)
    return None


def prepare(name: str, root: Path, progress: bool) -> None:
    """Downloads `name` and prepares it under `root` in the array_record format.

    Raises `UserError` if TensorFlow is missing or the download fails.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"dataset {name!r} is not prepared in {root} and TensorFlow, which prepares it, is "
            f"not installed; {_INSTALL}, or give its files with --source files --data-dir DIR"
        )
    tfds = _tensorflow_datasets()
    if not progress:
        tfds.disable_progress_bar()
    try:
        builder = tfds.builder(name, data_dir=str(root))
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # network, disk, checksums: tfds has no common base class
        raise UserError(
            f"tfds could not prepare {name!r} in {root} ({one_line(error)}); check the network "
            "and the disk, or give its files with --source files --data-dir DIR"
        ) from error


def _tensorflow_datasets() -> Any:
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise UserError(
            f"tensorflow_datasets cannot be imported ({one_line(error)}); {_INSTALL}"
        ) from error


def _is_finished(info: Path) -> bool:
    """Whether the folder is a version's; while tfds prepares, its name carries a suffix."""
    return re.fullmatch(r"\d+\.\d+\.\d+", info.parent.name) is not None


def _version(info: Path) -> tuple[bool, list[int]]:
    """Sorts array_record before other formats, then by version number; the best is last."""
    readable = any(info.parent.glob("*array_record*"))
    return readable, [int(number) for number in re.findall(r"\d+", info.parent.name)]


def _read(folder: Path, entry: Entry, progress: bool) -> Decoded:
    tfds = _tensorflow_datasets()
    try:
        builder = tfds.builder_from_directory(str(folder))
        _check_classes(tuple(builder.info.features["label"].names), folder, entry)
        train = _dataset(builder, "train", folder, entry, progress)
        test = _dataset(builder, "test", folder, entry, progress)
    except UserError:
        raise
    except NotImplementedError as error:  # prepared as tfrecord, which TensorFlow alone reads
        raise UserError(
            f"{folder}: not prepared in a format readable without TensorFlow, array_record "
            "expected; move the folder away and prepare it again with --source tfds"
        ) from error
    except Exception as error:  # corrupt records and metadata raise what their parsers raise
        raise UserError(
            f"{folder}: tfds could not read it ({one_line(error)}); move the folder away and "
            "prepare it again with --source tfds"
        ) from error
    return Decoded(train, test)


def _check_classes(names: tuple[str, ...], folder: Path, entry: Entry) -> None:
    numbers = tuple(str(label) for label in range(len(entry.class_names)))
    if names not in (entry.class_names, numbers):  # tfds numbers the classes of FashionMNIST
        raise UserError(
            f"{folder}: classes {', '.join(names)} found, {', '.join(entry.class_names)} "
            "expected; prepare the dataset again with --source tfds"
        )


def _dataset(builder: Any, split: str, folder: Path, entry: Entry, progress: bool) -> Dataset:
    # pictures are left encoded, so that they pass the same checks as those of image folders
    skip = _tensorflow_datasets().decode.SkipDecoding()
    source = builder.as_data_source(split=split, decoders={"image": skip})
    images = np.empty((len(source), *entry.image_shape), np.uint8)
    labels = np.empty(len(source), np.int64)
    with progress_bar(f"reading {split}", len(source), progress) as update:
        for index in range(len(source)):
            record, where = source[index], f"{folder}: {split} image {index}"
            images[index], _ = decode(record["image"], entry.image_shape, where)
            labels[index] = record["label"]
            if index % 100 == 0:
                update(index)
    return checked(images, labels, len(entry.class_names), f"{folder}: {split}")
