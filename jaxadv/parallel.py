"""The axis of independent runs (seeds, settings) over one or many devices."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxadv.types import PyTree


def over_axis(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """`function(item, *shared)` for every item of a leading axis, on one device.

    A `vmap`; on a CPU the items follow one another inside the same program (`lax.map`), where a
    `lax.cond` that differs between items takes one branch each and the working set is one item's.
    """
    if jax.default_backend() == "cpu":
        return lambda items, *shared: lax.map(lambda item: function(item, *shared), items)
    return lambda items, *shared: jax.vmap(lambda item: function(item, *shared))(items)


def over_runs(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """`over_axis` for the runs of a study, split over all devices; no device talks to another.

    The most devices that share the runs evenly are used, by `shard_map`.
    """

    def mapped(runs: PyTree, *shared: Any) -> PyTree:
        devices = _sharing(len(jax.tree.leaves(runs)[0]))
        if len(devices) == 1:
            return over_axis(function)(runs, *shared)
        split, whole = PartitionSpec("runs"), PartitionSpec()
        return jax.shard_map(
            over_axis(function),
            mesh=Mesh(np.asarray(devices), ("runs",)),
            in_specs=(split, *[whole] * len(shared)),
            out_specs=split,
            check_vma=False,
        )(runs, *shared)

    return mapped


def _sharing(count: int) -> list[Any]:
    """The most devices that share `count` runs evenly."""
    devices = jax.devices()
    return devices[: next(n for n in range(len(devices), 0, -1) if count % n == 0)]
