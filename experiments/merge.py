"""Join the seeds of several runs: `python -m experiments.merge DIR… --out DIR`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from experiments import cli, report
from jaxadv import results


@dataclass(frozen=True)
class Arguments:
    """Join the seeds of several runs of one configuration into one set of results."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of finished runs that differ in their seeds alone."""
    out: Path
    """Folder for the joined results; must not hold another run."""


def joined(arguments: Arguments) -> None:
    """Write the joined rows, keep each run's environment, draw and print."""
    runs = [report.finished(directory) for directory in arguments.directories]
    config, rows = results.merge(runs)
    _warn_of_metrics(runs)
    # Figures show arrays of one seed a defence: the first run's hold it.
    arrays = report.kept_arrays(arguments.directories[0], report.SHOWN)
    # A merge that was killed is done again, as long as it has written no results.
    afresh = not (arguments.out / "results.json").exists()
    claimed = {"experiment": runs[0]["experiment"], **config}
    results.claim(arguments.out, claimed, resume=afresh, resumable=False)
    if arrays:
        results.write_arrays(arguments.out / "predictions.npz", arrays)
    environments = [run.get("environment") for run in runs]
    results.write(arguments.out, runs[0]["experiment"], config, rows, environments)
    report.show(arguments.out)


def _warn_of_metrics(runs: Sequence[dict[str, Any]]) -> None:
    """One line where a metric is not of all runs, as of those of another version: its seeds are."""
    each = [{row["metric"] for row in run["rows"]} for run in runs]
    some = sorted(set.union(*each) - set.intersection(*each))
    if some:
        print(f"warning: not measured in all of the runs: {', '.join(some)}", file=sys.stderr)


def main() -> None:
    """Entry point of the script."""
    arguments = partial(cli.read_arguments, Arguments, "merge", description=__doc__)
    cli.run(lambda: joined(arguments()), resumable=False)


if __name__ == "__main__":
    main()
