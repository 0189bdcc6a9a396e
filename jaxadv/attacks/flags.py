"""What an attack met on the way that makes a network look robust which is not."""

import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.attacks.directions import Direction
from jaxadv.attacks.problem import Ascent, Problem
from jaxadv.checks import is_traced, numbers
from jaxadv.errors import UserError
from jaxadv.types import Array


class Flags(NamedTuple):
    """Signs that a network looks robust and may not be, `[B]` bool each, true at any step.

    Of several attacks there are more axes before: `[A, S, N]` in `evaluation.Predictions`.

    nonfinite: a gradient was NaN or infinite in some pixel; those pixels stood still.
    zero: a gradient was exactly 0.
    softmax: the logits are probabilities, whose gradient all but vanishes where a network is sure.
    outside: some pixels were outside the attack's bounds; they could only move inwards.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks
    >>> flat = lambda x: jnp.zeros((len(x), 2))  # a model whose logits never change
    >>> direction = attacks.untargeted(flat, jnp.array([1]))
    >>> images, flags = attacks.fgsm(0.125).flagged(direction, jnp.array([[0.5]]))
    >>> flags.zero.tolist(), flags.nonfinite.tolist()
    ([True], [False])
    """

    nonfinite: Array
    zero: Array
    softmax: Array
    outside: Array


def first_flags(x: Array, low: Array, high: Array) -> Flags:
    """Those of images `x [B, …]` that no step was taken from yet, under bounds that broadcast."""
    none = jnp.zeros(len(x), bool)
    outside = jnp.any(~((x >= low) & (x <= high)), axis=tuple(range(1, x.ndim)))
    return Flags(none, none, none, outside)


def followed(direction: Direction, x: Array) -> tuple[Array, Array, Flags]:
    """The value `[B]` and the ascent `[B, …]` at `x`, what is not finite in it 0, and its flags.

    A direction that gives no value has NaN.

    Raises:
        UserError: if it gives no ascent for these images.
    """
    found = direction.at(x) if isinstance(direction, Problem) else direction(x)
    if not isinstance(found, tuple) or len(found) not in (2, 3):
        raise UserError(
            "the direction gives no (value, ascent): for a model give "
            "attacks.untargeted(model, labels)"
        )
    value, ascent, softmax = found if isinstance(found, Ascent) else (*found[:2], None)
    wanted = "give one value an example, and an ascent in the shape of the images"
    ascent = numbers("the direction's ascent", ascent, wanted)
    value = None if value is None else numbers("the direction's values", value, wanted)
    if ascent.shape != x.shape or np.shape(value) not in ((), (len(x),)):
        raise UserError(
            f"the direction gives values {np.shape(value)} and an ascent {np.shape(ascent)} for "
            f"images {x.shape}: give one value an example, and the shape of the images"
        )
    ascent = jnp.asarray(ascent, x.dtype)
    finite = jnp.isfinite(ascent)
    pixels = tuple(range(1, x.ndim))
    none = jnp.zeros(len(x), bool)
    flags = Flags(
        ~jnp.all(finite, axis=pixels),
        jnp.all(ascent == 0, axis=pixels),
        none if softmax is None else softmax,
        none,
    )
    whole = jnp.full(len(x), jnp.nan, x.dtype) if value is None else value
    return whole, jnp.where(finite, ascent, 0), flags


def raised(before: Flags, now: Flags) -> Flags:
    """Flags raised at any of two steps."""
    return jax.tree.map(jnp.logical_or, before, now)


def warn(flags: Flags, what: str = "", *, above: int = 1) -> None:
    """One warning for each kind of flag that was raised, with how many; nothing where traced.

    above: frames from the caller to the line of the reader's that is named.
    """
    if any(map(is_traced, flags)):
        return
    for count, total, line in lines(flags):
        warnings.warn(f"{what}{count} of {total} examples had {line}", stacklevel=2 + above)


def lines(flags: Flags) -> list[tuple[int, int, str]]:
    """How many examples, of how many, had which flag raised; nothing of those that none had."""
    said: dict[str, Any] = {
        "nonfinite": "gradients that are not finite, in whose pixels nothing moved: they may look "
        "robust and not be; mend the model, or try another objective, attacks.margin say",
        "zero": "a gradient of exactly 0, which nothing can ascend: they may look robust and not "
        "be; try another objective, attacks.margin say, or a random start",
        "softmax": "logits that sum to 1, as a softmax's do, whose gradients fade where it is "
        "sure: give the logits before the softmax",
        "outside": "pixels outside the attack's bounds, which could move inwards alone: bring the "
        "images within them, or give the attack bounds= that hold them",
    }
    counts = {name: np.asarray(getattr(flags, name)) for name in said}
    return [
        (int(found.sum()), found.size, said[name]) for name, found in counts.items() if found.any()
    ]
