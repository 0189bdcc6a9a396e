"""A progress bar on stderr for work that takes seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from jaxadv.errors import printable


@contextmanager
def progress_bar(description: str, total: float, show: bool) -> Iterator[Callable[[float], None]]:
    """Yields `update(completed)`; draws only if `show` and stderr is a terminal."""
    visible = show and sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=not visible) as bar:
        task = bar.add_task(escape(printable(description)), total=total)  # a file's name is in it
        yield lambda completed: bar.update(task, completed=completed)
