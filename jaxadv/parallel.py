"""The axis of independent runs (seeds, settings) over one or many devices and processes.

Memory, to be kept below a device's: the data set, the states of the runs the device holds (weights,
gradients and two moments each), and the activations of one batch for each run done at once. On a
CPU's device that is one; elsewhere all of them, or `at_once`.

A CPU is one device, unless `use_cores` makes one of each core: most products here are too small for
several threads to share, and two devices then do nearly twice the work of one.

What holds: on CPUs, one run's numbers are equal to the bit however many devices and processes share
the runs, as long as XLA's pool has as many threads. It has one for each core the process may use
(or `PJRT_NPROC`), and at least one for each device: so up to as many devices as cores. XLA:CPU adds
up a long product in as many parts as suit the pool, here other last bits. With another pool, of
other cores or of more devices, attacks on given networks keep probabilities to 0.005 and rates
to 0.002; training makes much of last bits, and ends at other networks of the same kind.
"""

import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxadv.environment import cores
from jaxadv.errors import UserError
from jaxadv.types import PyTree

RESERVED = 0.1  # of a device's memory, for what a program's own account leaves out


def use_cores(count: int | None = None) -> bool:
    """Make every core of a CPU a device, for `over_runs` and `evaluate(spread=True)` to share.

    To be called before jax computes anything. On two cores CNN pairs trained in 0.75 of the time
    and were attacked in 0.65 of it. Numbers stay the same to the bit; see above.

    count: of devices; default as many as XLA has threads, by which its numbers depend on it.

    Returns whether it could: not where jax has begun, or was told how many devices there are
    (`jax_num_cpu_devices`, `XLA_FLAGS`).
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if jax.config.jax_num_cpu_devices != -1 or "xla_force_host_platform_device_count" in flags:
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
    """`over_axis` for the runs of a study, split over all devices; no device talks to another.

    Where the devices do not share the runs evenly, the first runs are done again to fill up. A line
    on stderr says if a CPU has more devices than threads of its own; see above.
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


JOINED = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def join_processes() -> None:
    """Make this process one of several that share the runs.

    Found from SLURM, Open MPI or a TPU pod; or from `JAX_COORDINATOR_ADDRESS` (host:port of the
    first process), `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`.

    Raises:
        UserError: if there is nothing to join, these three are not what they should be, or the
            first process does not answer.
    """
    arguments = _joined_by(os.environ)
    try:
        jax.distributed.initialize(*arguments)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"--distributed: no other processes found ({error}); start it under SLURM, or set "
            f"{', '.join(JOINED)}"
        ) from None
    except RuntimeError as error:
        raise UserError(
            f"--distributed: the processes could not be joined ({error}); see that all are "
            f"started, and reach {arguments[0] if arguments else 'the first'}"
        ) from None


def _joined_by(environment: Mapping[str, str]) -> tuple[()] | tuple[str, int, int]:
    """The address, how many processes there are, and which one this is; nothing if not set.

    Raises:
        UserError: if one of the three is missing, no number, or out of range.
    """
    given = {name: environment[name] for name in JOINED if environment.get(name)}
    if not given:
        return ()
    for name in JOINED:
        if name not in given:
            raise UserError(f"--distributed: {name} is not set, {next(iter(given))} is; set both")
    address, count, number = (given[name] for name in JOINED)
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"\S+", host) or not _is_within(port, 1, 65535):
        raise UserError(
            f"--distributed: JAX_COORDINATOR_ADDRESS is {address!r}; give host:port of the first "
            "process, port 1 to 65535"
        )
    if not _is_within(count, 1, 2**31 - 1):
        raise UserError(f"--distributed: JAX_NUM_PROCESSES is {count!r}; give 1 or more")
    if not _is_within(number, 0, int(count) - 1):
        raise UserError(
            f"--distributed: JAX_PROCESS_ID is {number!r}; of {count} processes the numbers are 0 "
            f"to {int(count) - 1}"
        )
    return address, int(count), int(number)


def _is_within(digits: str, least: int, most: int) -> bool:
    return re.fullmatch(r"[0-9]{1,10}", digits) is not None and least <= int(digits) <= most


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


def warn_of_memory(program: Any) -> None:
    """One line on stderr if a compiled program asks for more memory than a device has left it."""
    account, available = program.memory_analysis(), _memory()
    if account is None or available is None:
        return
    needed = (
        account.temp_size_in_bytes
        + account.argument_size_in_bytes
        + account.output_size_in_bytes
        - account.alias_size_in_bytes
    ) * _sharers(program)
    if needed > (1 - RESERVED) * available:
        print(
            f"warning: the program asks for {needed / 2**30:.1f} GiB of {available / 2**30:.1f}: "
            "lower --runs-at-once, or run --seeds in parts and join them with experiments.merge",
            file=sys.stderr,
        )


def check_memory(run: PyTree, count: int) -> None:
    """Refuse runs whose states alone are larger than the memory of all devices.

    run: shapes and types of one run's state, weights and optimisers.

    Raises:
        UserError: if so.
    """
    each = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(run))
    memory, cpu = _memory(), jax.default_backend() == "cpu"
    there = (memory or 0) * (jax.process_count() if cpu else jax.device_count())
    if memory is not None and count * each > there:
        raise UserError(
            f"{count} runs of {each / 2**20:,.1f} MiB, weights and optimisers alone, take "
            f"{count * each / 2**30:,.1f} GiB of {there / 2**30:,.1f}: run fewer seeds (--seeds), "
            "and join runs by experiments.merge"
        )


def _sharers(program: Any) -> int:
    """How many devices that a program runs on share one memory: a CPU's, all of them."""
    if jax.default_backend() != "cpu":
        return 1
    places = [where.addressable_devices for where in jax.tree.leaves(program.input_shardings)]
    return max(map(len, places), default=1)


def _memory() -> int | None:
    """Bytes on each device, of the machine if the devices are its processors."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (device.memory_stats() or {}).get("bytes_limit")
