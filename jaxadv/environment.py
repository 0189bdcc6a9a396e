"""The machine and the software that made a result, for the record."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def cores() -> int:
    """Processor cores this process may use, which can be fewer than the machine has.

    XLA's sums, products, QR and Cholesky on a CPU change in the last bits with this number, and
    training makes much of them.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS does not bind processes to cores


def _commit() -> str | None:
    """The checkout's commit, marked when files differ from it; None outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "*.py")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def environment() -> dict[str, Any]:
    """Versions, devices, cores, precision and commit, as results keep them.

    "cores" are those that this process may use; "commit" is None outside a checkout.

    >>> from jaxadv import results
    >>> results.environment()["matmul_precision"]
    'float32'
    """
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "versions": {package: version(package) for package in _PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "processes": jax.process_count(),
        "matmul_precision": "float32",
        "commit": _commit(),
    }
