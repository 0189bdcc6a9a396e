"""Tables on a terminal: as many columns as fit, the ones that matter first; a file has them all."""

import shutil
import sys
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable

from experiments.frame.tables.table import Table

GAP = 3  # characters from one column to the next


def width() -> int | None:
    """How many characters a line of the terminal has; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show(table: Table, limit: int | None) -> None:
    """Print to standard output, in lines of at most `limit` characters, or as long as they are."""
    shown, said = fitted(table, limit) if limit is not None else (table, "")
    printed = RichTable(title=shown.title, title_justify="left", box=SIMPLE, caption=said or None)
    printed.caption_justify = "left"
    for number, name in enumerate(shown.header):
        numeric = any(line[number][:1] in "0123456789+-–" for line in shown.lines)
        printed.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for line in shown.lines:
        printed.add_row(*line)
    # Names from files are no markup: "[red]" is a name.
    Console(width=max(limit or 500, 40), markup=False, emoji=False).print(printed)


def fitted(table: Table, limit: int) -> tuple[Table, str]:
    """The table within so many characters a line, and a line on what was left out.

    What is the same in all lines is said beneath. Of the others those in `table.matters`, by which
    lines are told apart and what they say above all, stay longest, then those farther left.
    """
    columns = list(zip(table.header, *table.lines, strict=True))
    several = len(table.lines) > 1
    same = [c for c in columns if several and len(set(c[1:])) == 1]
    kept = [column for column in columns if column not in same]
    dropped = list[str]()
    while _wide(kept) > limit and len(kept) > 2:
        spare = [c for c in kept if c[0] not in table.matters] or kept
        kept.remove(spare[-1])
        dropped.append(spare[-1][0])
    words = [", ".join(f"{c[0]} {c[1]}" for c in same if c[1])] if same else []
    if dropped:
        words.append(f"{len(dropped)} more columns in tables.md or with --wide")
    header, *lines = ([column[row] for column in kept] for row in range(len(table.lines) + 1))
    return table._replace(header=header, lines=lines), "; ".join(filter(None, words))


def _wide(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(cell_len, column)) + GAP for column in columns) + 1
