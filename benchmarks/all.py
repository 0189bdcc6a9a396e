"""Every benchmark in turn; those that failed are named at the end, with exit status 1.

python -m benchmarks.all [--device gpu] [--out benchmarks/results/NAME]
"""

import subprocess
import sys

BENCHMARKS = ("compile", "correlation_loss", "training", "seeds", "attacks")


def main() -> None:
    """Each in a process of its own, so that none inherits another's threads and memory."""
    words = sys.argv[1:]
    failed = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words]).returncode
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
