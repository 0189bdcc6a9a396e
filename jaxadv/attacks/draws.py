"""What a direction may draw by: each example's key, its own at every step, and the step's number.

To a parameter `key` projected ascent gives keys `[B]`, to a parameter `step` the step's number from
0, in directions of your own and in objectives for `attacks.ascend`. Nothing is drawn twice, and
images depend on no batch size. Input diversity by a random shift, say:

    def shifted(predict, labels):
        def direction(x, *, key):
            by = jax.vmap(lambda k: jax.random.randint(k, (2,), -2, 3))(key)
            roll = jax.vmap(lambda image, by: jnp.roll(image, by, axis=(0, 1)))
            return attacks.untargeted(lambda x: predict(roll(x, by)), labels)(x)

        return direction

    x_adv = attacks.pgd(0.1, 0.01)(shifted(predict, labels), x, attacks.example_keys(key, indices))
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxadv.attacks.inputs import check_keys
from jaxadv.types import Array, Key

_NAMES = ("key", "step")
# Folded into an example's key before the step: what is split from the key itself, as a random
# start does, is what folding in 0, 1, … gives.
STREAM = 0x64726177


def named(function: Any) -> dict[str, bool]:
    """Those of `_NAMES` that a function takes beside its first argument, and whether by name.

    What takes any keyword takes both, though not by name. What `functools.partial` has set is set.
    A decorated function takes what it and the function within both take.
    """
    bound = function.keywords if isinstance(function, partial) else {}
    within, without = (_parameters(function, followed) for followed in (True, False))
    return {
        name: name in within
        for name in _NAMES
        if name not in bound and all(name in found or None in found for found in (within, without))
    }


def _parameters(function: Any, followed: bool) -> set[str | None]:
    """Names of the parameters after the first; None for any keyword. Without a signature, none."""
    try:
        found = list(inspect.signature(function, follow_wrapped=followed).parameters.values())
    except (TypeError, ValueError):  # a function of C, say
        return set()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names: set[str | None] = {each.name for each in found[1:] if each.kind in by_name}
    return names | ({None} if any(each.kind is each.VAR_KEYWORD for each in found) else set())


def taking_as(function: Callable[..., Any], other: Any) -> Callable[..., Any]:
    """A function that hands on all its keywords, taking those of `_NAMES` that another takes."""
    kind = inspect.Parameter
    parameters = [kind("x", kind.POSITIONAL_ONLY)]
    parameters += [kind(name, kind.KEYWORD_ONLY) for name in named(other)]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def by_step(direction: Any, keys: Key | None, count: int) -> Callable[[Array | int], Any]:
    """From a step's number, from 0, to the direction of `count` examples at that step.

    keys: `[B]`. One that takes `key` is given keys `[B]` of that step, which belong to no other
    step and to nothing else that is drawn by `keys`; one that takes `step` its number, traced.

    Raises:
        UserError: if it takes `key` by name and there are no keys, or keys of another kind.
    """
    taken = named(direction)
    if not taken:
        return lambda _: direction
    draws = taken.get("key", False) or ("key" in taken and keys is not None)
    if draws:
        check_keys(keys, count, "a direction that takes `key`")
        own = jax.vmap(lambda key: jax.random.fold_in(key, STREAM))(keys)

    def at(step: Array | int) -> Any:
        number = jnp.asarray(step, jnp.int32)
        given: dict[str, Any] = {"step": number} if "step" in taken else {}
        if draws:
            given["key"] = jax.vmap(lambda key: jax.random.fold_in(key, number))(own)
        return partial(direction, **given)

    return at
