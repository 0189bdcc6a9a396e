"""Draw a run's figures again from what it wrote: `python -m experiments.plot DIR…`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments import cli, report
from jaxadv.errors import UserError, printable


@dataclass(frozen=True)
class Arguments:
    """Draw figures again without computing anything."""

    directories: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of finished runs."""


def main() -> None:
    """Entry point of the script."""

    def draw() -> None:
        arguments = cli.read_arguments(Arguments, "plot", description=__doc__)
        if not arguments.directories:
            raise UserError("nothing to draw: give at least one run's folder")
        for directory in arguments.directories:
            for path in report.draw(directory):
                print(printable(path))

    cli.run(draw, resumable=False)


if __name__ == "__main__":
    main()
