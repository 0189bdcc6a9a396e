"""Legends: what the colours of a figure stand for, and how many seeds stand behind them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from jaxadv.plots.labels import VARIANTS
from jaxadv.plots.panels import half
from jaxadv.plots.reduce import Point, seeds_label


def legend_above(
    figure: Figure,
    entries: Mapping[str, Artist],
    points: Mapping[str, Sequence[Point]],
    extra: Mapping[str, Artist] | None = None,
    why: str = "diverged",
    common: str = "",
) -> None:
    """One legend for all panels, above them: each variant with its counts of seeds, then `extra`.

    It says that intervals are drawn where any value stands for more than two seeds, and how many
    seeds have none, `why` in a word. common: what all panels show.
    """
    labels = {
        name: f"{VARIANTS.get(name, name)} ({seeds_label(points[name], why)})" for name in entries
    }
    handles = {labels[name]: mark for name, mark in entries.items()}
    handles |= extra or {}
    if handles:
        drawn = (point.value for each in points.values() for point in each)
        several = any(value is not None and half(value) is not None for value in drawn)
        bands = "mean and 95 % interval over seeds" if several else ""
        legend_within(
            figure,
            handles,
            range(min(len(handles), 4), 0, -1),
            title=" · ".join(filter(None, [common, bands])) or None,
            loc="outside upper left",
            alignment="left",
            columnspacing=2.0,
        )


def legend_within(
    figure: Figure, entries: Mapping[str, Artist], columns: Sequence[int], **settings: Any
) -> None:
    """A legend of the first number of columns with which all of it lies inside the figure.

    Above the panels, a figure grows by what three lines exceed. settings: of `Figure.legend`.
    """
    for count in columns:
        legend = figure.legend(list(entries.values()), list(entries), ncols=count, **settings)
        box, whole = legend.get_window_extent(), figure.bbox
        if max(box.width / whole.width, box.height / whole.height) < 0.97:
            break
        if count != columns[-1]:
            legend.remove()
    if "upper" in settings["loc"]:
        beyond = max(box.height / figure.dpi - 0.8, 0)  # inches; panels have room for three lines
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + beyond)
