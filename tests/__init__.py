"""The suite's own compiler settings: they stand here because XLA reads them once, before any test.

Most of the suite's time is compiling small programs that run once; machine code made in haste takes
a quarter of it. Workers and subprocesses inherit it; who sets the level himself is left alone.
"""

import os
import subprocess
import sys

HASTE = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"


def _accepted(flags: str) -> bool:
    """XLA aborts on a flag it does not know."""
    start = [sys.executable, "-c", "import jax; jax.devices()"]
    environment = {**os.environ, "XLA_FLAGS": flags}
    return subprocess.run(start, env=environment, capture_output=True).returncode == 0


_chosen = os.environ.get("XLA_FLAGS", "")
if "xla_backend_optimization_level" not in _chosen and _accepted(f"{HASTE} {_chosen}"):
    os.environ["XLA_FLAGS"] = f"{HASTE} {_chosen}"
