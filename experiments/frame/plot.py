"""Draw a run's figures again from what it wrote: `python -m experiments plot DIR…`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments.frame import report
from jaxadv.errors import UserError, printable


@dataclass(frozen=True)
class Plot:
    """Draw figures again without computing anything."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of finished runs."""

    def __call__(self) -> None:
        """Draw, and print the paths."""
        if not self.directories:
            raise UserError("nothing to draw: give at least one run's folder")
        for directory in self.directories:
            for path in report.draw(directory):
                print(printable(path))
