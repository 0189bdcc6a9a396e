"""What every floor looks at before it computes: numbers, counts, keys.

Shapes and types are known always, numbers unless jax traces them. Looking is done in NumPy: under
`jit` jax traces what it computes of constants too.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError


def is_traced(value: Any) -> bool:
    """Whether jax is tracing this value: its shape and type can be looked at, its numbers not."""
    return isinstance(value, jax.core.Tracer)


def check_number(name: str, value: Any, wanted: str, *, above: bool = False) -> None:
    """Refuse what is no finite number of at least 0, or no array of such; above 0 if `above`.

    Placeholders that jax puts into pytrees pass, as traced values do.

    Raises:
        UserError: if so, `wanted` its remedy.
    """
    placeholder = value is None or type(value) is object
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


def check_key(key: Any) -> None:
    """Refuse what is not one typed key.

    Raises:
        UserError: if so.
    """
    typed = hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or key.shape != ():
        what = f"keys of shape {key.shape}" if typed else f"{type(key).__name__} {key}"
        raise UserError(f"{what} for a key: give jax.random.key(0)")
