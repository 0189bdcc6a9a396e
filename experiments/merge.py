"""Join the seeds of several runs: `python -m experiments.merge DIR… --out DIR`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments import cli, report
from jaxadv import results
from jaxadv.errors import UserError


@dataclass(frozen=True)
class Arguments:
    """Join the seeds of several runs of one configuration into one set of results."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of finished runs that differ in their seeds alone."""
    out: Path
    """Folder for the joined results; must not hold another run."""


def joined(arguments: Arguments) -> None:
    """Write the joined rows, keep each run's environment, draw and print."""
    runs = [results.read(directory) for directory in arguments.directories]
    config, rows = results.merge(runs)
    first = runs[0]
    if any(run["experiment"] != first["experiment"] for run in runs):
        raise UserError("these are runs of different experiments; merge runs of one")
    # Figures show arrays of one seed a defence: the first run's hold it.
    arrays = report.kept_arrays(arguments.directories[0], report.SHOWN)
    results.claim(arguments.out, config, resume=False)
    if arrays:
        results.write_arrays(arguments.out / "predictions.npz", arrays)
    environments = [run.get("environment") for run in runs]
    results.write(arguments.out, first["experiment"], config, rows, environments)
    report.show(arguments.out)


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: joined(cli.read_arguments(Arguments, "merge", description=__doc__)))


if __name__ == "__main__":
    main()
