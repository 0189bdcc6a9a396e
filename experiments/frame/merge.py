"""Join the seeds of several runs: `python -m experiments merge DIR… --out DIR`."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments.frame import report
from experiments.frame.finished import Finished, read
from experiments.frame.study import find
from jaxadv import results


@dataclass(frozen=True)
class Merge:
    """Join the seeds of several runs of one configuration into one set of results."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of finished runs that differ in their seeds alone."""
    out: Path
    """Folder for the joined results; must not hold another run."""

    def __call__(self) -> None:
        """Write the joined rows, keep each run's environment, draw and print."""
        found = [read(directory, find) for directory in self.directories]
        runs = [run for _, run in found]
        config, rows = results.merge([vars(run) for run in runs])
        _warn_of_metrics(runs)
        study, first = found[0]
        # Figures show arrays of one seed a variant: the first run's hold it.
        arrays = first.arrays(*study.shown_arrays)
        # A merge that was killed is done again, as long as it has written no results.
        afresh = not (self.out / "results.json").exists()
        claimed = {"experiment": study.name, **config}
        results.claim(self.out, claimed, resume=afresh, resumable=False)
        if arrays:
            results.write_arrays(self.out / "predictions.npz", arrays)
        environments = [run.environment for run in runs]
        results.write(self.out, study.name, config, rows, environments)
        report.show(self.out)


def _warn_of_metrics(runs: list[Finished]) -> None:
    """One line where a metric is not of all runs, as of those of another version: its seeds are."""
    each = [{row["metric"] for row in run.rows} for run in runs]
    some = set.union(*each) - set.intersection(*each)
    if some:
        words = ", ".join(sorted(some))
        print(f"warning: not measured in all of the runs: {words}", file=sys.stderr)
