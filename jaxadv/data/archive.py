"""Tar archives, plain or compressed, read as a stream: nothing is extracted to disk.

A member is read if it is wanted, and if its size is one that it can have: what its header claims
is looked at before memory is given to it.
"""

import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Self

from jaxadv.data.catalogue import Entry
from jaxadv.data.compression import unpacked
from jaxadv.data.progress import progress_bar
from jaxadv.data.reader import one_line
from jaxadv.errors import UserError

# Every name an archive goes by; what its compression really is, its contents say.
ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz")
_FAULTS = (
    *(tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error),
    *(ValueError, RecursionError),  # numbers in headers that are none, headers of headers
)
_LONGEST = 1 << 20  # bytes of a member's name and attributes, for which `tarfile` sets no limit
_OF_THE_NEXT = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


class _Member(tarfile.TarInfo):
    """A header; one that announces a longer name than names are is refused before that is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _OF_THE_NEXT and not 0 <= header.size <= _LONGEST:
            raise tarfile.ReadError(f"a name of {header.size} bytes")
        return header


def is_archive(path: Path) -> bool:
    """Whether the file's name says it is an archive that `members` reads."""
    return path.name.endswith(ENDINGS) and path.is_file()


def archives_of(folder: Path, entry: Entry) -> list[Path]:
    """The archives in a folder whose names begin with the dataset's, sorted."""
    # not followed by a digit: cifar100.tar is not an archive of cifar10
    names = "|".join(re.escape(name) for name in entry.folders if "/" not in name)
    named = (p for p in folder.glob("*") if re.match(rf"({names})(?!\d)", p.name.lower()))
    return sorted(filter(is_archive, named))


def members(
    path: Path, progress: bool, wanted: Callable[[str], bool], most: int
) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the bytes of each regular file wanted in a tar archive, in its order.

    wanted: says by its name whether a file is to be read. most: bytes that such a file can have.

    Raises `UserError` if the archive is corrupt or cut short, even between two files, or if a file
    that is wanted is larger.
    """
    try:
        with (
            path.open("rb") as file,
            progress_bar(f"reading {path.name}", path.stat().st_size, progress) as update,
            unpacked(file) as stream,
        ):
            with _opened(stream) as archive:
                for index, member in enumerate(_headers(archive)):
                    if member.isfile() and wanted(member.name):
                        _check_size(f"{path}: {member.name}", member.size, most)
                        if content := archive.extractfile(member):
                            yield member.name, content.read()
                    if index % 100 == 0:
                        update(file.tell())
            _check_end(path, file, stream)
    except UserError:
        raise
    except _FAULTS as error:
        raise UserError(
            f"{path}: not a complete tar archive ({one_line(error)}); copy or download it again"
        ) from error


def _check_size(where: str, size: int, most: int) -> None:
    """Refuse a file before it is read that is larger than it can be; a tar's header may say less.

    Raises:
        UserError: if so.
    """
    if not 0 <= size <= most:
        raise UserError(
            f"{where}: {size:,} bytes, at most {most:,} expected; copy or download it again"
        )


def read_bytes(path: Path, most: int) -> bytes:
    """A file's contents, at most so many bytes.

    Raises:
        UserError: if it is larger.
    """
    _check_size(str(path), path.stat().st_size, most)
    return path.read_bytes()


def _opened(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member)


def _headers(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Each member's header, once: `tarfile` keeps them all, however many an archive announces."""
    while header := archive.next():
        archive.members = []  # type: ignore[attr-defined]
        yield header


def first_names(path: Path, count: int) -> list[str]:
    """The names of the first files in a tar archive, up to `count`; fewer if it is damaged.

    Faults are left to `members`, which reads all of it and names them.
    """
    names: list[str] = []
    try:
        with (
            path.open("rb") as file,
            unpacked(file) as stream,
            _opened(stream) as archive,
        ):
            for member in _headers(archive):
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
