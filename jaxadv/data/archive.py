"""Tar archives, plain or compressed, read as a stream: nothing is extracted to disk."""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from jaxadv.data.progress import progress_bar
from jaxadv.data.reader import one_line
from jaxadv.errors import UserError

_OPENERS: dict[str, Callable[[Any], Any]] = {
    ".tar": lambda file: file,
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.xz": lzma.open,
    ".tar.bz2": bz2.open,
}
_FAULTS = (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error)


def is_archive(path: Path) -> bool:
    """Whether the file's name says it is an archive that `members` reads."""
    return path.name.endswith(tuple(_OPENERS)) and path.is_file()


def members(path: Path, progress: bool) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the bytes of each regular file in a tar archive, in its order.

    Raises `UserError` if the archive is corrupt or cut short, even between two files.
    """
    opener = next(opener for end, opener in _OPENERS.items() if path.name.endswith(end))
    try:
        with (
            path.open("rb") as file,
            progress_bar(f"reading {path.name}", path.stat().st_size, progress) as update,
            opener(file) as stream,
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


def _check_end(path: Path, file: IO[bytes], stream: IO[bytes]) -> None:
    """Reads to the end, where a compressed file has its checksum and a plain one two zero blocks.

    `tarfile` takes a plain archive that stops between two members for a complete one.
    """
    if stream is not file:
        while stream.read(1 << 20):
            pass
    elif path.stat().st_size < 1024 or file.seek(-1024, 2) < 0 or any(file.read(1024)):
        raise tarfile.ReadError("no end-of-archive blocks")
