"""What a terminal shows while a run works: a bar of epochs, a clock beside what is measured."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from jaxadv.parallel import leads

REST = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what the line has left, cut at its end


@contextmanager
def epochs(name: str, total: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """`report(epoch, line)`: a bar on a terminal, a line an epoch elsewhere.

    Until the first epoch is done the bar says that the program compiles.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[line]}", table_column=REST),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal and leads()
    with Progress(*columns, console=console, disable=not shown, expand=True) as bar:
        task = bar.add_task(f"training {name}", total=total, completed=done, line="compiling")

        def report(epoch: int, line: str) -> None:
            bar.update(task, completed=epoch, line=line)
            if leads() and not console.is_terminal:
                print(f"{name} epoch {epoch}/{total}: {line}", file=sys.stderr, flush=True)

        yield report


@contextmanager
def measuring(name: str) -> Iterator[None]:
    """A clock on a terminal while a part is compiled and measured; elsewhere nothing."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("compiling and measuring {task.description}", table_column=REST),
        TimeElapsedColumn(),
    )
    shown = console.is_terminal and leads()
    with Progress(*columns, console=console, disable=not shown, transient=True, expand=True) as bar:
        bar.add_task(name, total=None)
        yield
