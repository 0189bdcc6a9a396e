"""Tables and figures of a finished run, from what it wrote and nothing else."""

from pathlib import Path

from experiments.frame.finished import read
from experiments.frame.study import find
from experiments.frame.tables import table
from jaxadv.errors import UserError, printable
from jaxadv.folder import owned
from jaxadv.parallel import leads


def draw(directory: Path) -> list[Path]:
    """Draw a run's figures again from its results; the paths written.

    Raises:
        UserError: if the results are damaged, another process writes into the folder, or figures/
            leads out of it.
    """
    (study, run), figures = read(directory, find), directory / "figures"
    with owned(directory):
        if figures.is_symlink() or (figures.exists() and not figures.is_dir()):
            what = "link" if figures.is_symlink() else "file"
            raise UserError(f"{figures}: is a {what} where a folder of figures goes; move it away")
        figures.mkdir(exist_ok=True)
        for figure in study.figures:
            figure(run, figures)
    return sorted(figures.glob("*.png"))


def show(directory: Path) -> None:
    """Print a run's tables and draw its figures; the first of several processes does."""
    if not leads():
        return
    study, run = read(directory, find)
    for make in study.tables:
        if (made := make(run.rows)).lines:
            table.show(made)
    for path in [directory / "results.json", *draw(directory)]:
        print(printable(path))
