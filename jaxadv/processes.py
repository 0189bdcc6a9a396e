"""Several processes of one job, on one machine or many, that share the runs."""

import os
import re
from collections.abc import Mapping

import jax

from jaxadv.errors import UserError

_JOINED = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


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
            f"{', '.join(_JOINED)}"
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
    given = {name: environment[name] for name in _JOINED if environment.get(name)}
    if not given:
        return ()
    for name in _JOINED:
        if name not in given:
            raise UserError(f"--distributed: {name} is not set, {next(iter(given))} is; set both")
    address, count, number = (given[name] for name in _JOINED)
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
