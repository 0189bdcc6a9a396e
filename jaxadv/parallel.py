"""The axis of independent runs (seeds, settings) over one or many devices and processes.

Memory, to be kept below a device's: the data set, the states of the runs the device holds (weights,
gradients and two moments each), and the activations of one batch for each run done at once. On a
CPU's device that is one; elsewhere all of them, or `at_once`.

A CPU is one device, unless `use_cores` makes one of each core: most products here are too small for
several threads to share, and two devices then do half as much again as one (`benchmarks.matrix`).

What holds: on CPUs, one run's numbers are equal to the bit however many devices and processes share
the runs, as long as XLA's pool has as many threads. It has one for each core the process may use
(or `PJRT_NPROC`), and at least one for each device: so up to as many devices as cores. XLA:CPU adds
up a long product in as many parts as suit the pool, here other last bits. With another pool, of
other cores or of more devices, attacks on given networks keep probabilities to 0.005 and rates
to 0.002; training makes much of last bits, and ends at other networks of the same kind.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxadv.environment import cores
from jaxadv.types import PyTree

__all__ = ["over_runs", "use_cores"]


def use_cores(count: int | None = None) -> bool:
    """Make every core of a CPU a device, so that `over_runs` and `evaluate(spread=True)` use all.

    Call it before jax computes anything. Numbers stay the same to the bit, as the head of this
    module says.

    count: how many devices; by default as many as XLA has threads. With more devices than threads
        the last bits of sums change.

    Returns whether it worked. It does not where jax has begun to compute, or was told already how
    many devices there are (`jax_num_cpu_devices`, `XLA_FLAGS`).

    >>> import jax.numpy as jnp
    >>> from jaxadv import parallel
    >>> started = jnp.zeros(1)
    >>> parallel.use_cores()  # too late: jax has begun
    False
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if (
        getattr(jax.config, "jax_num_cpu_devices", -1) != -1
        or "xla_force_host_platform_device_count" in flags
    ):
        return False
    try:
        jax.config.update("jax_num_cpu_devices", _threads() if count is None else count)
    except RuntimeError:  # jax has begun
        return False
    return True


def over_axis(function: Callable[..., PyTree], at_once: int = 0) -> Callable[..., PyTree]:
    """`function(item, *shared)` for every item of a leading axis, on one device.

    A `vmap`, of `at_once` items after another if given; on a CPU the items follow one another
    inside the same program, where a `lax.cond` that differs between items takes one branch each and
    the working set is one item's.
    """
    group = 1 if jax.default_backend() == "cpu" else at_once

    def mapped(items: PyTree, *shared: Any) -> PyTree:
        one = lambda item: function(item, *shared)  # noqa: E731
        if group == 0:
            return jax.vmap(one)(items)
        return lax.map(one, items, batch_size=group if group > 1 else None)

    return mapped


def over_runs(function: Callable[..., PyTree], at_once: int = 0) -> Callable[..., PyTree]:
    """`function(run, *shared)` for every run of a leading axis, the runs split over all devices.

    A GPU or TPU does its runs side by side, all or `at_once` of them; a CPU's device does one after
    another. No device talks to another. Where the devices do not share the runs evenly, the first
    runs are done again to fill up, and left out of the result.

    function: of one run, a pytree without the leading axis, and of what all runs share.
    at_once: runs done side by side on a device, to bound its memory; 0 is all.

    Prints one line to stderr if a CPU has more devices than threads, since sums then round
    otherwise.

    >>> import jax.numpy as jnp
    >>> from jaxadv import parallel
    >>> scaled = parallel.over_runs(lambda run, scale: run * scale)
    >>> print(scaled(jnp.array([1.0, 2.0, 3.0]), 10.0))
    [10. 20. 30.]
    """

    def mapped(runs: PyTree, *shared: Any) -> PyTree:
        _warn_of_threads()
        count = len(jax.tree.leaves(runs)[0])
        devices = _devices(count)
        if len(devices) == 1:
            return over_axis(function, at_once)(runs, *shared)
        filled = -(-count // len(devices)) * len(devices)
        if filled > count:
            runs = jax.tree.map(lambda leaf: leaf[jnp.arange(filled) % count], runs)
        split, whole = PartitionSpec("runs"), PartitionSpec()
        result = jax.shard_map(
            over_axis(function, at_once),
            mesh=_mesh(count),
            in_specs=(split, *[whole] * len(shared)),
            out_specs=split,
            check_vma=False,
        )(runs, *shared)
        return jax.tree.map(lambda leaf: leaf[:count], result)

    return mapped


def _threads() -> int:
    """Threads of XLA's pool on a CPU, before its devices ask for one each."""
    for name in ("PJRT_NPROC", "NPROC"):
        if os.environ.get(name, "").strip().isdecimal():
            return int(os.environ[name])
    return cores()


@cache
def _warn_of_threads() -> None:
    """One line on stderr, once, if devices make the pool larger than it would be without."""
    if jax.default_backend() != "cpu":
        return
    devices, threads = jax.local_device_count(), _threads()
    if devices > threads and leads():
        print(
            f"warning: {devices} CPU devices on {threads} threads: XLA adds up in other parts, and "
            f"training ends elsewhere than with fewer devices (PJRT_NPROC={devices} gives these "
            "the same numbers)",
            file=sys.stderr,
        )


def _devices(count: int) -> list[Any]:
    """Those that share `count` runs: of several processes all, since each takes part."""
    return jax.devices() if jax.process_count() > 1 else jax.devices()[:count]


def _mesh(count: int) -> Mesh:
    return Mesh(np.asarray(_devices(count)), ("runs",))


def placements(count: int) -> tuple[NamedSharding, NamedSharding] | None:
    """Where `count` runs lie, and where what they share; None if there is but one device.

    Runs that the devices do not share evenly lie on each: a state has one place from step to step,
    and its program is compiled once.
    """
    devices = _devices(count)
    if len(devices) == 1:
        return None
    whole = NamedSharding(_mesh(count), PartitionSpec())
    even = count % len(devices) == 0
    return NamedSharding(_mesh(count), PartitionSpec("runs")) if even else whole, whole


def leads() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def collected(tree: PyTree) -> PyTree:
    """Arrays of all processes, each whole on every host; with one process, as they are."""
    if jax.process_count() == 1:
        return tree
    return multihost_utils.process_allgather(tree, tiled=True)


def hosted(tree: PyTree) -> PyTree:
    """Arrays that every program takes: jax's own, or of several processes the host's."""
    if jax.process_count() == 1:
        return jax.tree.map(jnp.asarray, tree)
    return jax.device_get(tree)


def placed(tree: PyTree, where: NamedSharding | None) -> PyTree:
    """Arrays on the devices `where`, or on the only one."""
    if where is None:
        return jax.tree.map(jnp.asarray, tree)
    return jax.device_put(jax.device_get(tree), where)
