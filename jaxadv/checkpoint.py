"""Training states on disk, through Orbax alone.

Orbax writes a checkpoint under a temporary name and renames it when it is whole, so a kill at any
moment leaves the previous one in place. What it would do in silence, or say at length, is checked
here before it is asked: it casts to the data types asked for, and stores no array of size zero.
"""

import operator
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from orbax.checkpoint.experimental import v1 as ocp

from jaxadv.errors import UserError
from jaxadv.quiet import quietly
from jaxadv.types import PyTree

Kind: TypeAlias = tuple[tuple[int, ...], str]  # shape and data type of a leaf


def _epochs(directory: Path) -> list[int]:
    """Epochs with a whole checkpoint, ascending; Orbax's temporary folders have other names."""
    names = [path.name[6:] for path in directory.glob("epoch-*") if path.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def save(directory: str | Path, state: PyTree, epoch: int) -> None:
    """Write `state` as the checkpoint of `epoch`, then remove the earlier ones.

    state: JAX's and NumPy's arrays and numbers, of size zero too.

    Raises:
        UserError: if a later epoch is there already (which `latest` would go on giving), if the
            state holds what is no array, or if it cannot be written.
    """
    directory = Path(directory).resolve()
    epoch = _checked(epoch, directory)
    arrays = _arrays(state)
    stored = jax.tree.map(lambda leaf: leaf if leaf.size else None, arrays)
    if not jax.tree.leaves(stored):
        raise UserError("the state holds no number: there is nothing to save")
    empty = {name: kind for name, kind in _kinds(arrays).items() if 0 in kind[0]}
    path = directory / f"epoch-{epoch}"

    def write() -> None:
        directory.mkdir(parents=True, exist_ok=True)
        ocp.save(path, stored, overwrite=True, custom_metadata={"empty": empty})

    quietly(write, lambda why: f"{path}: the checkpoint cannot be written ({why}); make room there")
    for earlier in _epochs(directory):
        if earlier < epoch:
            shutil.rmtree(directory / f"epoch-{earlier}", ignore_errors=True)


def _checked(epoch: int, directory: Path) -> int:
    try:
        number = operator.index(epoch)
    except TypeError:
        number = -1
    if number < 0 or isinstance(epoch, bool):
        raise UserError(f"epoch {epoch!r}: give a whole number from 0")
    if (last := max(_epochs(directory), default=number)) > number:
        raise UserError(
            f"{directory}: epoch {last} is saved there already, epoch {number} would never be the "
            "latest; save it in a new folder"
        )
    return number


def latest(directory: str | Path, like: PyTree) -> PyTree | None:
    """The newest checkpoint in `directory`, of the structure, shapes and data types of `like`.

    JAX's arrays; NumPy's where JAX would narrow the data type, as float64 without x64. None if
    there is no checkpoint.

    Raises:
        UserError: if it cannot be read, or differs from `like` in a leaf, which is named.
    """
    directory = Path(directory).resolve()
    epochs = _epochs(directory)
    if not epochs:
        return None
    path, wanted = directory / f"epoch-{epochs[-1]}", _arrays(like)
    misfit = f"{path}: the checkpoint does not fit these networks"
    advice = "start afresh in a new folder"

    def damaged(why: str) -> str:
        return f"{misfit} or is damaged ({why}); {advice}"

    def read() -> Iterator[Any]:
        difference = _difference(_stored_kinds(path), _kinds(wanted))
        if difference:
            raise UserError(f"{misfit}: {difference}; {advice}")
        return iter(jax.tree.leaves(ocp.load(path, jax.tree.map(_abstract, wanted))))

    loaded = quietly(read, damaged)
    return jax.tree.map(lambda leaf: _host(next(loaded)) if leaf.size else _filled(leaf), wanted)


def _arrays(tree: PyTree) -> PyTree:
    """The tree with numbers as 0-d arrays.

    Raises:
        UserError: if a leaf is neither array nor number.
    """

    def array(path: Any, leaf: Any) -> Any:
        known = isinstance(leaf, jax.Array | jax.ShapeDtypeStruct | np.ndarray)
        found = leaf if known else np.asarray(leaf)
        if not any(jnp.issubdtype(found.dtype, kind) for kind in (np.number, np.bool_, _KEY)):
            raise UserError(
                f"the state's {_name(path)} is {type(leaf).__name__} ({found.dtype}); "
                "keep arrays and numbers alone in it"
            )
        return found

    return jax.tree_util.tree_map_with_path(array, tree)


_KEY = jax.dtypes.prng_key


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _kinds(tree: PyTree) -> dict[str, Kind]:
    """Every leaf's shape and data type by its name; of a key those of its words, as stored."""

    def kind(leaf: Any) -> Kind:
        if jnp.issubdtype(leaf.dtype, _KEY):
            leaf = jax.eval_shape(jax.random.key_data, leaf)
        return tuple(leaf.shape), str(np.dtype(leaf.dtype))

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_name(path): kind(leaf) for path, leaf in leaves}


def _stored_kinds(path: Path) -> dict[str, Kind]:
    found = ocp.metadata(path)
    if found.metadata is None:  # Orbax has logged why, and goes on
        raise ValueError("its description cannot be read")
    empty = (found.custom_metadata or {}).get("empty", {})
    zero = {name: (tuple(shape), dtype) for name, (shape, dtype) in empty.items()}
    return _kinds(found.metadata) | zero


def _difference(there: dict[str, Kind], here: dict[str, Kind]) -> str:
    """The first leaf that is not the same; nothing if all are."""
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            return f"{name} is {_words(there.get(name))} there, {_words(here.get(name))} here"
    return ""


def _words(kind: Kind | None) -> str:
    return "absent" if kind is None else f"{kind[1]} {list(kind[0])}"


def _abstract(leaf: Any) -> Any:
    """What Orbax is to make of a stored leaf: an array of JAX, or of NumPy if JAX narrows it."""
    if not leaf.size:
        return None
    if _narrowed(leaf.dtype):
        return np.zeros(leaf.shape, leaf.dtype)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device)


def _narrowed(dtype: Any) -> bool:
    return not jnp.issubdtype(dtype, _KEY) and jax.dtypes.canonicalize_dtype(dtype) != dtype


def _host(leaf: Any) -> Any:
    # Orbax ties arrays to a device, and a program for tied arrays is another one to compile.
    return leaf if _narrowed(leaf.dtype) else jnp.array(jax.device_get(leaf))


def _filled(leaf: Any) -> Any:
    return (np if _narrowed(leaf.dtype) else jnp).zeros(leaf.shape, leaf.dtype)
