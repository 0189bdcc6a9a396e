"""What a file format hands over: a promise to read, and what was read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jaxadv.data.dataset import Dataset
from jaxadv.errors import printable


class Decoded(NamedTuple):
    """Two sets read from a source; `jpeg` says that some pixels went through JPEG."""

    train: Dataset
    test: Dataset
    jpeg: bool = False


@dataclass(frozen=True)
class Reader:
    """Data that was found and not yet read.

    place: the folder or archive, named in results and faults.
    files: every file the result depends on; their names, sizes and times key the cache.
    read: decodes them; its argument says whether to show a progress bar.
    slow: whether the decoded arrays are worth a cache file.
    published_order: whether the images come in the order they were published in.
    """

    place: Path
    files: tuple[Path, ...]
    read: Callable[[bool], Decoded]
    slow: bool = False
    published_order: bool = False


def one_line(error: BaseException) -> str:
    """An error's text on one line, fit for a terminal; its type where it has none."""
    return printable(" ".join(str(error).split())) or type(error).__name__
