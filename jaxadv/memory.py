"""Whether the memory of the devices holds what is asked of it."""

import math
import os
import sys
from typing import Any

import jax

from jaxadv.errors import UserError
from jaxadv.types import PyTree

_RESERVED = 0.1  # of a device's memory, for what a program's own account leaves out


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
    if needed > (1 - _RESERVED) * available:
        print(
            f"warning: the program asks for {needed / 2**30:.1f} GiB of {available / 2**30:.1f}: "
            "lower --runs-at-once, or run --seeds in parts and join them by `experiments merge`",
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
            "and join runs by `experiments merge`"
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
