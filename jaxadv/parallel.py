"""The axis of independent runs (seeds, settings) over one or many devices."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxadv.types import PyTree


def over_runs(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """`function(run, *shared)` for every run: `run` and the result gain a leading axis.

    On one device the runs are a `vmap`; on a CPU they follow one another inside the same program
    (`lax.map`), where a batched small matrix product gains nothing over a larger cache footprint.
    Over several devices `shard_map` splits the runs; no device talks to another.
    """
    mapped = _sequential if jax.default_backend() == "cpu" else _batched

    def mapped_over_devices(runs: PyTree, *shared: Any) -> PyTree:
        count = len(jax.tree.leaves(runs)[0])
        devices = _dividing(count)
        if len(devices) == 1:
            return mapped(function)(runs, *shared)
        split, whole = PartitionSpec("runs"), PartitionSpec()
        return jax.shard_map(
            mapped(function),
            mesh=Mesh(np.asarray(devices), ("runs",)),
            in_specs=(split, *[whole] * len(shared)),
            out_specs=split,
            check_vma=False,
        )(runs, *shared)

    return mapped_over_devices


def _dividing(count: int) -> list[Any]:
    """The most devices that share `count` runs evenly."""
    devices = jax.devices()
    return devices[: next(n for n in range(len(devices), 0, -1) if count % n == 0)]


def _sequential(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    return lambda runs, *shared: lax.map(lambda run: function(run, *shared), runs)


def _batched(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    return lambda runs, *shared: jax.vmap(lambda run: function(run, *shared))(runs)
