"""Which compression a file has, told by its first bytes: names are changed, contents are not."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import IO, Any

_MAGIC: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """The contents of a file opened at its beginning: unpacked, or itself if not compressed."""
    head = file.read(max(map(len, _MAGIC)))
    file.seek(0)
    for magic, opened in _MAGIC.items():
        if head.startswith(magic):
            return opened(file)
    return file
