"""What every floor looks at before it computes: numbers, counts, keys.

Shapes and types are known always, numbers unless jax traces them. Looking is done in NumPy: under
`jit` jax traces what it computes of constants too.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.types import Array


def is_traced(value: Any) -> bool:
    """Whether jax is tracing this value: its shape and type can be looked at, its numbers not."""
    return isinstance(value, jax.core.Tracer)


def numbers(name: str, value: Any, wanted: str) -> Array:
    """A value as an array of real numbers, jax's own as they are, others as NumPy's.

    Raises:
        UserError: if it is none: a ragged list, text, objects, complex numbers, keys.
    """
    found = value
    if not isinstance(value, jax.Array):
        try:
            found = np.asarray(value)
        except (TypeError, ValueError):
            raise UserError(
                f"{name}: a {type(value).__name__} that is no array; {wanted}"
            ) from None
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    plain = kind_of(found).kind != "m"  # times are integers to NumPy
    if not plain or not any(jnp.issubdtype(found.dtype, kind) for kind in kinds):
        raise UserError(f"{name} of type {found.dtype}: {wanted}")
    return found


def kind_of(value: Any) -> Any:
    """The type of an array's numbers; `object` of what is no array of NumPy's or jax's."""
    kind = getattr(value, "dtype", None)
    return kind if isinstance(kind, np.dtype) else np.dtype(object)


def check_number(name: str, value: Any, wanted: str, *, above: bool = False) -> None:
    """Refuse what is no finite number of at least 0, or no array of such; above 0 if `above`.

    Placeholders that jax puts into pytrees pass, as traced values do.

    Raises:
        UserError: if so, `wanted` its remedy.
    """
    placeholder = value is None or type(value) is object
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        raise UserError(f"{name} {value}: {wanted}")
    if is_traced(value) or placeholder or type(value).__module__.startswith("jax."):
        return
    kind = np.dtype(getattr(value, "dtype", type(value) if np.isscalar(value) else object))
    if jnp.issubdtype(kind, jnp.floating) or jnp.issubdtype(kind, jnp.integer):
        found = np.asarray(value, np.float64)
        if np.all(found > 0 if above else found >= 0) and np.all(np.isfinite(found)):
            return
    raise UserError(f"{name} {value}: {wanted}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number from `least` to 2^31 − 1.

    Raises:
        UserError: if so.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value < 2**31:
        raise UserError(f"{name} {value}: give a whole number, {least} or more")


def check_single(name: str, value: Any, wanted: str, *, above: bool = False) -> None:
    """`check_number` of one number: no array of them, no placeholder.

    Raises:
        UserError: if it is another.
    """
    found = numbers(name, value, wanted)
    if found.ndim:
        raise UserError(f"{name} of shape {found.shape}, one number wanted: {wanted}")
    check_number(name, value, wanted, above=above)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Refuse what is none of the names to choose from.

    Raises:
        UserError: if so.
    """
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise UserError(f"{name} {value!r}: choose one of {', '.join(known)}")


def check_flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        UserError: if so.
    """
    if not isinstance(value, bool | np.bool_):
        raise UserError(f"{name} {value!r}: give True or False")


def check_function(name: str, value: Any, wanted: str) -> None:
    """Refuse what cannot be called.

    Raises:
        UserError: if so.
    """
    if not callable(value):
        raise UserError(f"a {type(value).__name__} for {name}: give {wanted}")


def check_key(key: Any) -> None:
    """Refuse what is not one typed key.

    Raises:
        UserError: if so.
    """
    typed = hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or key.shape != ():
        what = f"keys of shape {key.shape}" if typed else f"{type(key).__name__} {key}"
        raise UserError(f"{what} for a key: give jax.random.key(0)")
