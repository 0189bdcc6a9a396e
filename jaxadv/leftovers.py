"""What killed writes leave in a run's folder: temporary names, known by place and by form.

Only what has a name that this library gives, in the place where it gives it, is ever removed. Links
are not followed: what they lead to may be anyone's.
"""

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

# The name that a file was to get, hidden, and the number of the process that wrote it.
_TEMPORARY = re.compile(r"\.(?P<of>.+)\.\d+\.tmp(\.npz)?")
# Checkpoints are folders; Orbax writes them under a temporary name of its own.
_CHECKPOINT = re.compile(r"(\.epoch-\d+\.\d+\.tmp|epoch-\d+)(?P<orbax>\.orbax-checkpoint-tmp.*)?")

_FILES = ("config.json", "environment.json", "results.json", "predictions.npz", "adversarial.npz")
CHECKPOINTS, MEASURED, _FIGURES = FOLDERS = "checkpoints", "measured", "figures"


def _below(folder: Path) -> list[Path]:
    """What is in a folder; nothing if there is none, or it is a link."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(folder.iterdir())


def _files(folder: Path, ours: Callable[[str], object]) -> Iterator[Path]:
    for path in _below(folder):
        found = _TEMPORARY.fullmatch(path.name)
        if found and ours(found["of"]) and path.is_file() and not path.is_symlink():
            yield path


def of_checkpoints(folder: Path) -> Iterator[Path]:
    """What is left in one training's folder of checkpoints."""
    for path in _below(folder):
        found = _CHECKPOINT.fullmatch(path.name)
        unfinished = found and (found["orbax"] or path.name.startswith("."))
        if unfinished and path.is_dir() and not path.is_symlink():
            yield path


def left_over(directory: Path) -> Iterator[Path]:
    """What is left in a run's folder and in its own folders below."""
    yield from _files(directory, _FILES.__contains__)
    yield from _files(directory / MEASURED, lambda name: name.endswith((".json", ".npz")))
    yield from _files(directory / _FIGURES, lambda name: name.endswith(".png"))
    for training in _below(directory / CHECKPOINTS):
        yield from of_checkpoints(training)


def remove(path: Path) -> None:
    """Remove a file, or a folder and all in it, if it is still there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clear(directory: Path) -> None:
    """Remove what is left in a run's folder, and its own folders below that are then empty."""
    for path in list(left_over(directory)):
        remove(path)
    for folder in (*_below(directory / CHECKPOINTS), *(directory / name for name in FOLDERS)):
        if not folder.is_symlink() and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def holds_more(directory: Path, known: Collection[str]) -> bool:
    """Whether there is more than leftovers, empty folders of a run's own, and the `known` names."""
    left = set(left_over(directory))
    more = [path for path in directory.iterdir() if path.name not in known and path not in left]
    return any(path.name not in FOLDERS or _holds(path, left) for path in more)


def _holds(path: Path, left: Collection[Path]) -> bool:
    """Whether it is a file, a link, or a folder that holds one which is not left over."""
    if path.is_symlink() or not path.is_dir():
        return True
    return any(_holds(inner, left) for inner in path.iterdir() if inner not in left)
