"""A run's output folder: one owner while it runs, one configuration for good.

The owner holds the operating system's lock on `.lock` there, which ends with the process whatever
ends it: a file left behind locks nothing. `config.json` holds the settings that decide the numbers,
`environment.json` the machine that the run began on; both carry their sums, by which a claim of
ours is told from another program's file of that name. A new owner clears what killed writes left.
"""

import atexit
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from jaxadv import leftovers, sums
from jaxadv.configs import differences
from jaxadv.environment import cores, environment
from jaxadv.errors import UserError
from jaxadv.files import read_json, read_summed, write_summed
from jaxadv.parallel import leads
from jaxadv.schema import plain

LOCK, CONFIG, BEGUN_IN = ".lock", "config.json", "environment.json"
_owned: dict[Path, int] = {}  # this process's folders, and the open files that hold their locks
os.register_at_fork(after_in_child=_owned.clear)


def _own(directory: Path) -> bool:
    """Make this process the folder's owner until it ends; False if it is already.

    Raises:
        UserError: if another process is.
    """
    path = directory.resolve() / LOCK
    if path in _owned and _is(path, _owned[path]):
        return False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            _lock(handle, directory)
        except UserError:
            os.close(handle)
            raise
        if _is(path, handle):  # else its last owner has removed it since it was opened
            _owned[path] = handle
            return True
        os.close(handle)


def _lock(handle: int, directory: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"{directory}: another run is writing there; wait until it ends, or choose "
            "another folder"
        ) from None
    except OSError as error:  # a file system without locks
        print(
            f"warning: {directory}: cannot be locked ({error.strerror}); start no second run there",
            file=sys.stderr,
        )


def _is(path: Path, handle: int) -> bool:
    """Whether the file of that name is the open one."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def disown(directory: Path) -> None:
    """Let another process own the folder, and remove the lock's file."""
    path = directory.resolve() / LOCK
    handle = _owned.pop(path, None)
    if handle is None:
        return
    if _is(path, handle):
        path.unlink(missing_ok=True)
    os.close(handle)


@atexit.register
def _disown_all() -> None:
    for path in list(_owned):
        try:
            disown(path.parent)
        except OSError:  # an unwritable folder keeps the file, which locks nothing
            continue


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Own an existing folder for a while; of several processes the first does.

    Raises:
        UserError: if another process owns it.
    """
    taken = leads() and _own(directory)
    try:
        yield
    finally:
        if taken:
            disown(directory)


def read_config(directory: Path) -> dict[str, Any]:
    """The `config.json` of a run's folder; if it has no checksum, a line on stderr says so.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.claim(Path(folder), {"seeds": 2}, resume=False)
    ...     results.read_config(Path(folder))
    {'seeds': 2}

    Raises:
        UserError: if it is missing, damaged, edited, or not a configuration.
    """
    return read_summed(directory / CONFIG)


def claim(
    directory: Path, config: Mapping[str, Any], resume: bool, *, resumable: bool = True
) -> None:
    """Make `directory` this configuration's output folder, and this process its owner.

    Of several processes the first does so, for all. The process owns it until it ends.

    config: the run's settings, plain JSON values.
    resume: whether the folder may hold work of this configuration already, to go on from.
    resumable: whether the command has an option --resume, which errors then advise.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import errors, results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = Path(folder) / "run"
    ...     results.claim(run, {"seeds": 2}, resume=False)
    ...     written = (run / "results.json").write_text("{}")
    ...     try:
    ...         results.claim(run, {"seeds": 3}, resume=True)
    ...     except errors.UserError as error:
    ...         print("refused:", "another configuration" in str(error))
    refused: True

    Raises:
        UserError: if another process owns it, it belongs to another configuration, it holds work
            and `resume` is off, or a folder in it leads elsewhere.
    """
    if not leads():
        return
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory}: is a file; give --out a folder")
    directory.mkdir(parents=True, exist_ok=True)
    _refuse_links(directory)
    taken = _own(directory)
    try:
        _claim(directory, plain(config, "config"), resume, resumable)
    except BaseException:
        if taken:
            disown(directory)
        raise


def _refuse_links(directory: Path) -> None:
    """What a run writes and removes below its folder is its own."""
    for folder in (directory / name for name in leftovers.FOLDERS):
        inner = [path for path in folder.glob("*") if path.is_dir()]
        for path in (folder, *inner):
            if path.is_symlink():
                raise UserError(f"{path}: is a link, and a run writes into its own folder; move it")


def _claim(directory: Path, wanted: dict[str, Any], resume: bool, resumable: bool) -> None:
    if _holds_work(directory):
        if not (directory / CONFIG).exists():
            raise UserError(f"{directory}: is not empty and is no run's folder; choose a new --out")
        _compare(directory, wanted)
        if not resume:
            advice = "add --resume to go on, or choose" if resumable else "choose"
            raise UserError(f"{directory}: already holds this run; {advice} a new --out")
        leftovers.clear(directory)
        _warn_of_cores(directory)
        return
    leftovers.clear(directory)
    # Claimed, then refused or killed before any work was done: config.json, the last of the two
    # to be written, must not outlive the other.
    (directory / CONFIG).unlink(missing_ok=True)
    write_summed(directory / BEGUN_IN, environment())
    write_summed(directory / CONFIG, wanted)


def _holds_work(directory: Path) -> bool:
    """Whether there is more than a claim of ours, and what killed writes leave."""
    if leftovers.holds_more(directory, (LOCK, CONFIG, BEGUN_IN)):
        return True
    return not all(map(_is_ours, (directory / CONFIG, directory / BEGUN_IN)))


def _is_ours(path: Path) -> bool:
    """Whether a file of a claim is absent, or carries the sum that we wrote it with."""
    if not path.exists():
        return not path.is_symlink()
    try:
        content = read_json(path)
        known = isinstance(content, dict) and sums.KEY in content
        return known and content[sums.KEY] == sums.of_content(content)
    except UserError:
        return False


def _compare(directory: Path, wanted: dict[str, Any]) -> None:
    found = read_config(directory)
    if found == wanted:
        return
    apart = differences(wanted, found, both=True)[:3]
    words = ", ".join(f"{name} {there!r}, now {here!r}" for name, here, there in apart)
    words = words or "its settings stand in other groups"
    raise UserError(
        f"{directory}: holds a run of another configuration ({words}); choose a new --out"
    )


def _warn_of_cores(directory: Path) -> None:
    """One line where a run goes on with other cores than it began with, on a CPU."""
    path = directory / BEGUN_IN
    if not path.exists():  # a run older than the file
        return
    try:
        began = read_summed(path).get("cores")
    except UserError:
        began = f"an unknown number of ({BEGUN_IN} is damaged or edited)"
    if began not in (None, cores()) and jax.default_backend() == "cpu":
        print(
            f"warning: {directory}: begun with {began} processor cores, goes on with {cores()}: "
            "sums round otherwise, so its numbers may differ in the last bits",
            file=sys.stderr,
        )
