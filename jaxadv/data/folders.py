"""Image folders, `train/CLASS/NAME.png` and `test/CLASS/NAME.png`, on disk or in a tar archive.

PNG and JPEG are read; what is not a picture, and hidden files, are passed over. Classes keep the
dataset's own order whatever the folders' order. The images come in the order of a hash of their
names: the same from a folder and from an archive, and mixed, so that the first thousand hold every
class.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from jaxadv.data.archive import archives_of, members, read_bytes
from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import Entry
from jaxadv.data.dataset import Dataset
from jaxadv.data.image import decode
from jaxadv.data.progress import progress_bar
from jaxadv.data.reader import Decoded, Reader
from jaxadv.errors import UserError

_SPLITS = ("train", "test")
_PICTURES = (".png", ".jpg", ".jpeg")
_MOST = (
    1 << 22
)  # bytes of a picture's file: of 32 by 32 pixels, with all that cameras write into it

Row = tuple[bytes, int, np.ndarray]  # sort key, label, image


def find(folder: Path, entry: Entry) -> Reader | None:
    """A reader of the image folders in `folder`, or of the archive of them, `None` if neither.

    An archive is taken if its name begins with the dataset's, `cifar10-anything.tar.xz`.
    """
    files = tuple(sorted(_pictures(folder)))
    if files:
        return Reader(folder, files, partial(_read_folder, folder, files, entry), slow=True)
    archives = archives_of(folder, entry)
    if len(archives) > 1:
        raise UserError(
            f"{folder}: {len(archives)} archives found ({', '.join(a.name for a in archives)}), "
            "1 expected; keep only one there"
        )
    if archives:
        path = archives[0]
        return Reader(path, (path,), partial(_read_archive, path, entry), slow=True)
    return None


def class_index(folder: str, class_names: tuple[str, ...]) -> int | None:
    """The class a folder is named after, case and punctuation aside; `None` if there is none."""
    plain = [_plain(name) for name in class_names]
    return plain.index(_plain(folder)) if _plain(folder) in plain else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_picture(path: PurePosixPath | Path) -> bool:
    return path.suffix.lower() in _PICTURES and not path.name.startswith(".")


def _pictures(folder: Path) -> Iterator[Path]:
    for split in _SPLITS:
        yield from (path for path in folder.glob(f"{split}/*/*") if _is_picture(path))


def _read_folder(folder: Path, files: tuple[Path, ...], entry: Entry, progress: bool) -> Decoded:
    with progress_bar(f"decoding {folder.name}", len(files), progress) as update:

        def contents() -> Iterator[tuple[str, bytes]]:
            for index, path in enumerate(files):
                yield path.relative_to(folder).as_posix(), read_bytes(path, _MOST)
                if index % 100 == 0:
                    update(index)

        return _collect(contents(), folder, entry)


def _read_archive(path: Path, entry: Entry, progress: bool) -> Decoded:
    found = members(path, progress, lambda name: _is_picture(PurePosixPath(name)), _MOST)
    return _collect(found, path, entry)


def _collect(contents: Iterable[tuple[str, bytes]], place: Path, entry: Entry) -> Decoded:
    rows: dict[str, list[Row]] = {split: [] for split in _SPLITS}
    any_jpeg = False
    for name, data in contents:
        path = PurePosixPath(name)
        split, label = _position(path, place, entry)
        image, jpeg = decode(data, entry.image_shape, f"{place}: {name}")
        any_jpeg |= jpeg
        rows[split].append((_sort_key(path), label, image))
    train, test = (_dataset(rows[split], f"{place}: {split}", entry) for split in _SPLITS)
    return Decoded(train, test, jpeg=any_jpeg)


def _position(path: PurePosixPath, place: Path, entry: Entry) -> tuple[str, int]:
    """The split and the label that the last two folders of a picture's path say."""
    split, folder = ("", "", *path.parts)[-3:-1]
    if split not in _SPLITS:
        raise UserError(
            f"{place}: picture {path} found, train/CLASS/NAME or test/CLASS/NAME expected; "
            "move or remove it"
        )
    label = class_index(folder, entry.class_names)
    if label is None:
        raise UserError(
            f"{place}: class folder {folder!r} found, one of {', '.join(entry.class_names)} "
            "expected; rename or remove it"
        )
    return split, label


def _sort_key(path: PurePosixPath) -> bytes:
    tail = "/".join(path.parts[-3:])
    return hashlib.blake2b(tail.encode(errors="surrogateescape"), digest_size=16).digest()


def _dataset(rows: list[Row], where: str, entry: Entry) -> Dataset:
    rows = sorted(rows, key=lambda row: row[0])
    images = np.array([image for _, _, image in rows], np.uint8).reshape(-1, *entry.image_shape)
    labels = np.array([label for _, label, _ in rows], np.int32)
    return checked(images, labels, len(entry.class_names), where)
