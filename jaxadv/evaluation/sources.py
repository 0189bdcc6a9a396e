"""Sources: the members that an image is made to fool, by name."""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.members import check_indices
from jaxadv.parallel import over_axis
from jaxadv.types import Indices, PyTree

Sources: TypeAlias = Mapping[str, tuple[int, ...]]
Found = TypeVar("Found", bound=PyTree)

ALL = "all"
"""The source that attacks every member at once, as a defender of an ensemble must face.

>>> from jaxadv import evaluation
>>> evaluation.each_and_all(2)[evaluation.ALL]
(0, 1)
"""


def each_and_all(size: int) -> dict[str, tuple[int, ...]]:
    """The sources "1", "2", … (one member each) and "all" of them at once.

    size: how many members the ensemble has; a lone one is its only source.

    >>> from jaxadv import evaluation
    >>> evaluation.each_and_all(2)
    {'1': (0,), '2': (1,), 'all': (0, 1)}
    """
    single: dict[str, tuple[int, ...]] = {str(index + 1): (index,) for index in range(size)}
    return {**single, ALL: tuple(range(size))} if size > 1 else single


def checked_sources(sources: Sources | None, size: int) -> Sources:
    """The sources, by default each member and all.

    Raises:
        UserError: if there are none, or one is no tuple of different members.
    """
    if sources is None:
        return each_and_all(size)
    if not isinstance(sources, Mapping) or not sources:
        raise UserError(f"sources {sources}: give names to member indices, {{'1': (0,)}} say")
    for name, members in sources.items():
        if not isinstance(members, tuple | list):
            raise UserError(f"source {name!r}: {members} is no tuple of members; give ({members},)")
        check_indices(members, size)
        if len(set(members)) < len(members):
            raise UserError(f"source {name!r}: members {members}; name each once")
    return {name: tuple(members) for name, members in sources.items()}


def on_each(function: Callable[[Indices], Found], sources: Sources, alike: bool) -> Found:
    """`function(members)` of every source, stacked `[S, …]` in their order.

    alike: whether the members share one architecture; sources of one size are then the items of an
        axis, and compiled once.
    """
    members = list(sources.values())
    if not alike:
        return jax.tree.map(lambda *each: jnp.stack(each), *map(function, members))
    sizes = sorted({len(chosen) for chosen in members})
    groups = [[s for s, chosen in enumerate(members) if len(chosen) == size] for size in sizes]
    found = [over_axis(function)(jnp.asarray([members[s] for s in group])) for group in groups]
    order = np.argsort(np.concatenate(groups))
    return jax.tree.map(lambda *each: jnp.concatenate(each)[order], *found)
