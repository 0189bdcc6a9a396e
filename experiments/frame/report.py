"""Tables and figures of a finished run, from what it wrote and nothing else."""

from pathlib import Path
from typing import Any

from experiments.frame.finished import Finished, read
from experiments.frame.study import Study, find
from experiments.frame.tables import terminal
from experiments.frame.tables.table import markdown
from jaxadv.errors import UserError, printable
from jaxadv.files import write_atomically
from jaxadv.folder import owned
from jaxadv.parallel import leads


def draw(directory: Path) -> list[Path]:
    """Draw a run's figures again from its results; the paths written.

    Raises:
        UserError: if the results are damaged, another process writes into the folder, or figures/
            leads out of it.
    """
    return _drawn(*read(directory, find))


def _drawn(study: Study[Any], run: Finished) -> list[Path]:
    directory, figures = run.directory, run.directory / "figures"
    with owned(directory):
        if figures.is_symlink() or (figures.exists() and not figures.is_dir()):
            what = "link" if figures.is_symlink() else "file"
            raise UserError(f"{figures}: is a {what} where a folder of figures goes; move it away")
        figures.mkdir(exist_ok=True)
        for figure in study.figures:
            figure(run, figures)
    return sorted(figures.glob("*.png"))


def show(directory: Path, wide: bool = False) -> None:
    """Print a run's tables, draw its figures, and end with its answer; the first process does.

    wide: print every column, however narrow the terminal; tables.md has them all anyway.
    """
    if not leads():
        return
    study, run = read(directory, find)
    made = [table for make in study.tables if (table := make(run.rows)).lines]
    text = "\n\n".join(f"{each.title}:\n\n{markdown(each)}" for each in made)
    with owned(directory):
        write_atomically(directory / "tables.md", f"{text}\n".encode())
    drawn = _drawn(study, run)
    limit = None if wide else terminal.width()
    for each in made:
        terminal.show(each, limit)
    if study.answer is not None and (answer := study.answer(run.rows, study.shown_eps)):
        print(printable(answer))
    print(printable(f"results: {directory / 'results.json'}; tables: {directory / 'tables.md'}"))
    names = ", ".join(path.name for path in drawn)
    print(printable(f"figures: {directory / 'figures'}: {names}"))
