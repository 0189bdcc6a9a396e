"""Tables and figures of the studies of autoencoders."""

from pathlib import Path
from typing import Any

from experiments.frame import figures
from experiments.frame.finished import Finished
from experiments.frame.tables import pathways as tables_of
from jaxadv import plots
from jaxadv.plots.reduce import distinct
from jaxadv.results import select

TABLES = (tables_of.reconstructions, tables_of.survival, tables_of.single)


def survival(run: Finished, folder: Path) -> None:
    """Figs 6 to 9 of Wiedeman & Wang: how often any reconstruction is read rightly."""
    label = "any reconstruction right"
    options: dict[str, Any] = {"down": "combine", "label": label, "separate": False}
    plots.metric_lines(run.rows, "any_correct", folder / "accuracy.png", **options)


def rates(run: Finished, folder: Path) -> None:
    """The preprint's panels of metrics, in a file for each way of joining the pathways."""
    shares = [
        {**row, "share_of": row["metric"].replace("_", " "), "metric": "share"}
        for row in run.rows
        if row["metric"] in list(tables_of.RATES)[1:]
    ]
    for combine in distinct(shares, "combine"):
        path = folder / f"metrics-{figures.file_name(combine)}.png"
        options: dict[str, Any] = {"down": "share_of", "separate": False}
        plots.metric_lines(select(shares, combine=combine), "share", path, **options)


def pictures(run: Finished, folder: Path) -> None:
    """Examples of which one reconstruction is read rightly and another is not."""
    arrays = run.arrays("pictures")
    if not arrays:
        figures.say(f"{run.directory}: without predictions.npz, no pictures")
        return
    titles = ("natural", "perturbed", "read wrongly", "read rightly")
    images = dict(zip(titles, arrays["pictures"], strict=True))
    plots.picture_rows(images, folder / "pictures.png")


FIGURES = (survival, rates, pictures)
