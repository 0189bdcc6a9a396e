"""A table of words, for a terminal and for Markdown, and how its numbers are written."""

from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from jaxadv.metrics import Interval


class Table(NamedTuple):
    """A titled table of words, ready to print."""

    title: str
    header: list[str]
    lines: list[list[str]]


def written(value: Interval | None, seeds: int | None = None, *, median: bool = False) -> str:
    """Mean ± half-width, the median in brackets on request; a dash for nothing.

    seeds: how many there are: where fewer have a value, the number that have is added.
    """
    if value is None:
        return "–"
    shown = f"{value} ({value.median:.3f})" if median else str(value)
    return shown + (of_fewer(value, seeds) if seeds is not None else "")


def of_fewer(value: Interval, seeds: int) -> str:
    """How many seeds have a value, where not all have."""
    return f" (n {value.n})" if value.n < seeds else ""


def show(table: Table) -> None:
    """Print to standard output, every line whole however narrow the terminal."""
    printed = RichTable(title=table.title, title_justify="left", box=SIMPLE)
    for number, name in enumerate(table.header):
        numeric = any(line[number][:1] in "0123456789+-–" for line in table.lines)
        printed.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for line in table.lines:
        printed.add_row(*line)
    # Names from files are no markup: "[red]" is a name.
    Console(width=500, markup=False, emoji=False).print(printed)


def markdown(table: Table) -> str:
    """A GitHub table."""
    rule = ["---"] * len(table.header)
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (table.header, *table.lines)]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
