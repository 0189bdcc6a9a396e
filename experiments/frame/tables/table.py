"""A table of words, and how its numbers are written."""

from typing import NamedTuple

from jaxadv.metrics import Interval


class Table(NamedTuple):
    """A titled table of words, ready to print.

    matters: the headings of columns that a narrow terminal shows before others.
    """

    title: str
    header: list[str]
    lines: list[list[str]]
    matters: tuple[str, ...] = ()


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


def markdown(table: Table) -> str:
    """A GitHub table."""
    rule = ["---"] * len(table.header)
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (table.header, *table.lines)]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
