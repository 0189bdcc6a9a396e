"""The studies: `python -m experiments` lists them; plot, merge and page are of their results."""

import sys

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from experiments.frame import cli, study
from experiments.frame.merge import Merge
from experiments.frame.page import Page
from experiments.frame.plot import Plot
from jaxadv.errors import UserError

TOOLS = {"plot": Plot, "merge": Merge, "page": Page}


def listed() -> None:
    """Print every study: of which paper, and how long each preset takes."""
    found = Table(box=SIMPLE, title="python -m experiments.NAME --preset …", title_justify="left")
    for heading in ("study", "paper", "minutes of each preset on two cores"):
        found.add_column(heading)
    for name in study.names():
        one = study.find(name)
        found.add_row(name, one.paper, study.minutes_of(one))
    Console().print(found)
    print(f"python -m experiments {'|'.join(TOOLS)} --help: for the results of runs")


def main() -> None:
    """List the studies, or do what is asked for."""
    words = sys.argv[1:]

    def task() -> None:
        if not words:
            listed()
            return
        if words[0] in study.names():
            raise UserError(f"{words[0]} is a study: python -m experiments.{words[0]}")
        if words[0] not in TOOLS:
            raise UserError(f"{words[0]}: give plot, merge or page, or nothing to list the studies")
        cli.read_arguments(TOOLS[words[0]], f"experiments {words[0]}", args=words[1:])()

    cli.run(task, resumable=False)


if __name__ == "__main__":
    main()
