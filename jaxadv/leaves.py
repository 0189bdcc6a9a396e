"""The leaves of a state by their names: arrays and numbers, and what they are of."""

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.types import PyTree

Kind: TypeAlias = tuple[tuple[int, ...], str]  # shape and data type of a leaf
_KEY = jax.dtypes.prng_key


def arrays_of(tree: PyTree) -> PyTree:
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


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def kinds(tree: PyTree) -> dict[str, Kind]:
    """Every leaf's shape and data type by its name; of a key those of its words, as stored."""

    def kind(leaf: Any) -> Kind:
        if jnp.issubdtype(leaf.dtype, _KEY):
            leaf = jax.eval_shape(jax.random.key_data, leaf)
        return tuple(leaf.shape), str(np.dtype(leaf.dtype))

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {_name(path): kind(leaf) for path, leaf in leaves}


def first_difference(there: dict[str, Kind], here: dict[str, Kind]) -> str:
    """The first leaf that is not the same; nothing if all are."""
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            return f"{name} is {_words(there.get(name))} there, {_words(here.get(name))} here"
    return ""


def _words(kind: Kind | None) -> str:
    return "absent" if kind is None else f"{kind[1]} {list(kind[0])}"


def abstract(leaf: Any) -> Any:
    """What Orbax is to make of a stored leaf: an array of JAX, or of NumPy if JAX narrows it."""
    if not leaf.size:
        return None
    if _narrowed(leaf.dtype):
        return np.zeros(leaf.shape, leaf.dtype)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device)


def _narrowed(dtype: Any) -> bool:
    return not jnp.issubdtype(dtype, _KEY) and jax.dtypes.canonicalize_dtype(dtype) != dtype


def host(leaf: Any) -> Any:
    """A leaf as Orbax has read it, tied to no device: programs for tied arrays compile anew."""
    return leaf if _narrowed(leaf.dtype) else jnp.array(jax.device_get(leaf))


def filled(leaf: Any) -> Any:
    """A leaf of size zero, which Orbax does not store."""
    return (np if _narrowed(leaf.dtype) else jnp).zeros(leaf.shape, leaf.dtype)
