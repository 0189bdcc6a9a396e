"""Tar archives, plain or compressed, read as a stream: nothing is extracted to disk."""

import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxadv.data.catalogue import Entry
from jaxadv.data.compression import unpacked
from jaxadv.data.progress import progress_bar
from jaxadv.data.reader import one_line
from jaxadv.errors import UserError

# Every name an archive goes by; what its compression really is, its contents say.
ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz")
_FAULTS = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error)


def is_archive(path: Path) -> bool:
    """Whether the file's name says it is an archive that `members` reads."""
    return path.name.endswith(ENDINGS) and path.is_file()


def archives_of(folder: Path, entry: Entry) -> list[Path]:
    """The archives in a folder whose names begin with the dataset's, sorted."""
    # not followed by a digit: cifar100.tar is not an archive of cifar10
    names = "|".join(re.escape(name) for name in entry.folders if "/" not in name)
    named = (p for p in folder.glob("*") if re.match(rf"({names})(?!\d)", p.name.lower()))
    return sorted(filter(is_archive, named))


def members(path: Path, progress: bool) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the bytes of each regular file in a tar archive, in its order.

    Raises `UserError` if the archive is corrupt or cut short, even between two files.
    """
    try:
        with (
            path.open("rb") as file,
            progress_bar(f"reading {path.name}", path.stat().st_size, progress) as update,
            unpacked(file) as stream,
        ):
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for index, member in enumerate(archive):
                    if member.isfile() and (content := archive.extractfile(member)):
                        yield member.name, content.read()
                    if index % 100 == 0:
                        update(file.tell())
            _check_end(path, file, stream)
    except _FAULTS as error:
        raise UserError(
            f"{path}: not a complete tar archive ({one_line(error)}); copy or download it again"
        ) from error


def first_names(path: Path, count: int) -> list[str]:
    """The names of the first files in a tar archive, up to `count`; fewer if it is damaged.

    Faults are left to `members`, which reads all of it and names them.
    """
    names: list[str] = []
    try:
        with (
            path.open("rb") as file,
            unpacked(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for member in archive:
                if len(names) == count:
                    break
                if member.isfile():
                    names.append(member.name)
    except _FAULTS:
        pass
    return names


def _check_end(path: Path, file: IO[bytes], stream: IO[bytes]) -> None:
    """Reads to the end, where a compressed file has its checksum and a plain one two zero blocks.

    `tarfile` takes a plain archive that stops between two members for a complete one.
    """
    if stream is not file:
        while stream.read(1 << 20):
            pass
    elif path.stat().st_size < 1024 or file.seek(-1024, 2) < 0 or any(file.read(1024)):
        raise tarfile.ReadError("no end-of-archive blocks")
