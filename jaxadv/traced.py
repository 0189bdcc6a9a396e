"""A reader's function as it stands now: its operations, and the arrays that it closes over.

A compiled program holds both for good. Whoever keeps one for a later call must see whether the
function is still the same: the weights behind it may have been trained further, or a name in it
bound to another value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxadv.types import Array, Predict


@dataclass(frozen=True)
class Traced:
    """A function traced on images of a shape; equal to another that computes the same."""

    function: Predict = field(compare=False)
    operations: str
    constants: "_Arrays"


@dataclass(frozen=True, eq=False)
class _Arrays:
    """Arrays that are equal if all their numbers are."""

    arrays: tuple[np.ndarray, ...]

    def __hash__(self) -> int:
        return hash(tuple((array.shape, str(array.dtype)) for array in self.arrays))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Arrays) or hash(self) != hash(other):
            return False
        both = zip(self.arrays, other.arrays, strict=True)
        return all(one.tobytes() == two.tobytes() for one, two in both)


def traced(function: Predict, images: Any) -> Traced:
    """The function on `images`, of which the shape and type are looked at; nothing is computed."""
    # A new function each time: JAX gives one that it has traced before its operations of then.
    closed = jax.make_jaxpr(lambda x: function(x))(images)
    words = re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr))  # where Python keeps a function
    return Traced(function, words, _Arrays(tuple(map(np.asarray, _constants(closed)))))


def _constants(closed: ClosedJaxpr) -> Iterator[Array]:
    """The arrays of a program and of those that it calls."""
    yield from closed.consts
    yield from _within(closed.jaxpr)


def _within(jaxpr: Jaxpr) -> Iterator[Array]:
    for equation in jaxpr.eqns:
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if isinstance(value, ClosedJaxpr):
                yield from _constants(value)
            elif isinstance(value, Jaxpr):
                yield from _within(value)


def _is_program(value: Any) -> bool:
    return isinstance(value, ClosedJaxpr | Jaxpr)
