"""Every benchmark in turn; those that failed are named at the end, with exit status 1.

    python -m benchmarks.all [--device gpu] [--minutes 10] [--out benchmarks/results/NAME]

With --minutes no case of any of them begins later than that: the most telling ones come first.
"""

import subprocess
import sys
import time

import tyro

from benchmarks.report import BEGUN, Settings

BENCHMARKS = ("correlation_loss", "attacks", "matrix", "seeds", "training", "compile")


def main() -> None:
    """Each in a process of its own, so that none inherits another's threads and memory."""
    minutes = tyro.cli(Settings, prog="python -m benchmarks.all", description=__doc__).minutes

    def failed(name: str) -> bool:
        left = minutes - (time.monotonic() - BEGUN) / 60
        words = [*sys.argv[1:], "--minutes", str(left)]
        return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words]).returncode != 0

    if names := [name for name in BENCHMARKS if failed(name)]:
        sys.exit(f"failed: {', '.join(names)}")


if __name__ == "__main__":
    main()
