"""Training states on disk, through Orbax alone, and sure to be read as they were written.

A checkpoint is written under a temporary name, summed, synced and renamed when it is whole, so a
kill at any moment leaves the one before in place; that one is kept beside the newest, in case this
is damaged. What Orbax would do in silence, or say at length, is checked before it is asked: it
casts to the data types asked for, takes changed bits for numbers, and stores no array of size zero.
"""

import operator
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint.experimental import v1 as ocp

from jaxadv import leftovers, manifest
from jaxadv.errors import UserError
from jaxadv.files import sync
from jaxadv.leaves import Kind, abstract, arrays_of, filled, first_difference, host, kinds
from jaxadv.parallel import leads
from jaxadv.quiet import quietly
from jaxadv.schema import plain
from jaxadv.types import PyTree

__all__ = ["keep_newest", "latest", "rewind", "save"]

_ADVICE = "start afresh in a new folder"


class _Damaged(UserError):
    """A checkpoint is not as it was written: the one before may be."""


def _epochs(directory: Path) -> list[int]:
    """Epochs with a whole checkpoint, ascending; temporary folders have other names."""
    names = [path.name[6:] for path in directory.glob("epoch-*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def save(
    directory: str | Path, state: PyTree, epoch: int, config: Mapping[str, Any] | None = None
) -> None:
    """Write `state` as the checkpoint of `epoch`; the newest one before it is kept, none else.

    state: a pytree of JAX's and NumPy's arrays and numbers; arrays of size zero too.
    config: the settings it was trained by, plain JSON values, for `latest` to compare.

    >>> import numpy as np, tempfile
    >>> from jaxadv import checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint.save(folder, {"w": np.array([1.0, 2.0], np.float32)}, epoch=3)
    ...     checkpoint.latest(folder, like={"w": np.zeros(2, np.float32)})["w"].tolist()
    [1.0, 2.0]

    Raises:
        UserError: if a later epoch is there already (which `latest` would go on giving), if the
            state holds what is no array, or if it cannot be written.
    """
    directory = Path(directory).resolve()
    epoch = _checked(epoch, directory)
    arrays = arrays_of(state)
    stored = jax.tree.map(lambda leaf: leaf if leaf.size else None, arrays)
    if not jax.tree.leaves(stored):
        raise UserError("the state holds no number: there is nothing to save")
    empty = {name: kind for name, kind in kinds(arrays).items() if 0 in kind[0]}
    path, new = directory / f"epoch-{epoch}", directory / f".epoch-{epoch}.0.tmp"
    said = {"epoch": epoch, "config": plain(config or {}, "config")}

    def write() -> None:
        directory.mkdir(parents=True, exist_ok=True)
        _clear(directory)
        ocp.save(new, stored, overwrite=True, custom_metadata={"empty": empty})
        if leads():
            manifest.write(new, said)
            _replace(path, new)

    def fault(why: str) -> UserError:
        return UserError(f"{path}: the checkpoint cannot be written ({why}); make room there")

    try:
        quietly(write, fault)
    finally:
        _clear(directory)


def _clear(directory: Path) -> None:
    """Remove what unfinished saves have left; the first process alone."""
    for path in list(leftovers.of_checkpoints(directory)) if leads() else []:
        leftovers.remove(path)


def _replace(path: Path, new: Path) -> None:
    """Give a finished checkpoint its name, and let go of all others but the newest before it."""
    directory, epoch = path.parent, int(path.name[6:])
    earlier = [other for other in _epochs(directory) if other < epoch]
    for other in set(_epochs(directory)) - set(earlier[-1:]):
        # Renamed first, so that a kill leaves no half of a checkpoint under a whole one's name.
        (directory / f"epoch-{other}").rename(directory / f".epoch-{other}.1.tmp")
    new.rename(path)
    sync(directory)


def _checked(epoch: int, directory: Path) -> int:
    try:
        number = operator.index(epoch)
    except TypeError:
        number = -1
    if number < 0 or isinstance(epoch, bool):
        raise UserError(f"epoch {epoch!r}: give a whole number from 0")
    for last in reversed([later for later in _epochs(directory) if later > number]):
        if not manifest.fault(directory / f"epoch-{last}", last):
            raise UserError(
                f"{directory}: epoch {last} is saved there already, epoch {number} would never be "
                "the latest; save it in a new folder"
            )
    return number


def rewind(directory: str | Path, epoch: int) -> bool:
    """Remove the checkpoints after `epoch`, and return whether there were any.

    Of several processes the first does so; the others return False.

    >>> import numpy as np, os, tempfile
    >>> from jaxadv import checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epoch in (1, 2):
    ...         checkpoint.save(folder, {"w": np.ones(2, np.float32)}, epoch)
    ...     print(checkpoint.rewind(folder, 1), os.listdir(folder))
    True ['epoch-1']
    """
    directory = Path(directory).resolve()
    later = [each for each in _epochs(directory) if each > epoch] if leads() else []
    for each in reversed(later):  # so that a kill leaves those before it, never those after
        (directory / f"epoch-{each}").rename(directory / f".epoch-{each}.1.tmp")
    _clear(directory)
    return bool(later)


def keep_newest(directory: str | Path) -> None:
    """Remove all checkpoints but the newest. Of several processes the first does so.

    >>> import numpy as np, os, tempfile
    >>> from jaxadv import checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for epoch in (1, 2):
    ...         checkpoint.save(folder, {"w": np.ones(2, np.float32)}, epoch)
    ...     checkpoint.keep_newest(folder)
    ...     print(os.listdir(folder))
    ['epoch-2']
    """
    directory = Path(directory).resolve()
    for epoch in _epochs(directory)[:-1] if leads() else []:
        (directory / f"epoch-{epoch}").rename(directory / f".epoch-{epoch}.1.tmp")
    _clear(directory)


def latest(
    directory: str | Path,
    like: PyTree | Callable[[int], PyTree],
    config: Mapping[str, Any] | None = None,
) -> PyTree | None:
    """The newest checkpoint in `directory`, with the structure, shapes and data types of `like`.

    Leaves are JAX's arrays; NumPy's where JAX would narrow the data type, as float64 without x64.
    None if there is no checkpoint. If the newest is damaged, the one before it is taken, and a line
    on stderr says so.

    like: a pytree of arrays, or a function from the epoch to one, for states whose structure
        changes: the last state of a run, say, is saved without its optimizers.
    config: settings that it must have been trained by; it may have been saved with more of them.

    >>> import numpy as np, tempfile
    >>> from jaxadv import checkpoint
    >>> like = {"w": np.zeros(2, np.float32)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(checkpoint.latest(folder, like))
    ...     checkpoint.save(folder, {"w": np.array([1.0, 2.0], np.float32)}, 1, {"seed": 0})
    ...     print(checkpoint.latest(folder, like, {"seed": 0})["w"])
    None
    [1. 2.]

    Raises:
        UserError: if none can be read, or if the newest that can differs from `like` in a leaf or
            was trained by other settings, which are named.
    """
    directory, faults = Path(directory).resolve(), list[_Damaged]()
    for epoch in reversed(_epochs(directory)):
        path = directory / f"epoch-{epoch}"
        wanted = arrays_of(like(epoch) if callable(like) else like)
        try:
            found = _read(path, epoch, wanted, plain(config or {}, "config"))
        except _Damaged as fault:
            faults.append(fault)
            continue
        if faults and leads():
            print(f"warning: {faults[0]}; {path.name} is taken instead", file=sys.stderr)
        return found
    if faults:
        before = ", and so is the one before" if len(faults) > 1 else ""
        raise UserError(f"{faults[0]}{before}; {_ADVICE}")
    return None


def _read(path: Path, epoch: int, wanted: PyTree, config: Mapping[str, Any]) -> PyTree:
    """One checkpoint; `_Damaged` if it is not as it was written, `UserError` if it is another."""
    if why := manifest.fault(path, epoch):
        raise _Damaged(f"{path}: the checkpoint is damaged ({why})")
    if why := manifest.difference(path, config):
        raise UserError(f"{path}: trained with {why}; {_ADVICE}")
    misfit = f"{path}: the checkpoint does not fit these networks"

    def fault(why: str) -> UserError:
        return _Damaged(f"{misfit} or is damaged ({why})")

    def read() -> Iterator[Any]:
        difference = first_difference(_stored_kinds(path), kinds(wanted))
        if difference:
            raise UserError(f"{misfit}: {difference}; {_ADVICE}")
        return iter(jax.tree.leaves(ocp.load(path, jax.tree.map(abstract, wanted))))

    loaded = quietly(read, fault)
    if not manifest.exists(path) and leads():
        print(
            f"warning: {path}: an earlier version's checkpoint: whether it is whole, and by which "
            "settings it was trained, is not known",
            file=sys.stderr,
        )
    return jax.tree.map(lambda leaf: host(next(loaded)) if leaf.size else filled(leaf), wanted)


def _stored_kinds(path: Path) -> dict[str, Kind]:
    found = ocp.metadata(path)
    if found.metadata is None:  # Orbax has logged why, and goes on
        raise ValueError("its description cannot be read")
    empty = (found.custom_metadata or {}).get("empty", {})
    zero = {name: (tuple(shape), dtype) for name, (shape, dtype) in empty.items()}
    return kinds(found.metadata) | zero
