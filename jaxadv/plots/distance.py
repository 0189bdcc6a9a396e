"""Transfer and feature correlation against parameter distance (Wiedeman & Wang 2022, Fig 1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxadv.metrics import mean_line
from jaxadv.plots import style
from jaxadv.plots.colours import GREY, ordered_colours
from jaxadv.plots.labels import heading, per_unit
from jaxadv.plots.panels import blank, limit
from jaxadv.plots.reduce import (
    Cloud,
    across,
    against_distance,
    distinct,
    settings_of,
    single_source,
    unknown_pairs,
    why_unknown,
)
from jaxadv.results import Row, select

_UNIT = 1_000  # of squared distance, in which slopes are given
_MARKS: dict[str, Any] = {"ls": "", "marker": "o", "ms": 5, "mew": 0, "alpha": 0.75}


def distance_panels(rows: Sequence[Row], path: str | Path) -> None:
    """Transfer rate (left) and R² of the features (right) against ‖θ1 − θ2‖², a point a pair.

    As Wiedeman & Wang (Patterns 2022, Fig. 1). There is a row of panels for each model, attack and
    ball. On the left there is a line for each ε, the mean of the seeds' least-squares lines, with
    its slope and 95 % interval in the legend. On the right natural inputs, which are rows without
    ε, are grey. Pairs that diverged, whose distance is null, are no points: each panel says how
    many they are.

    rows: of the metrics "transfer_rate" and "r_squared", with the measured squared distance under
        "distance".
    path: of the PNG.

    >>> import os, tempfile
    >>> from jaxadv import plots
    >>> row = {"model": "fc", "attack": "fgsm", "ball": "linf", "eps": 0.1, "seed": 0, "n": 9}
    >>> rows = [
    ...     {**row, "metric": metric, "value": 1 / (1 + distance), "distance": distance}
    ...     for metric in ("transfer_rate", "r_squared")
    ...     for distance in (1.0, 2.0)
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.distance_panels(rows, f"{folder}/distance.png")
    ...     print(os.listdir(folder))
    ['distance.png']

    Raises:
        UserError: if the file cannot be written.
    """
    rows = single_source(row for row in rows if "distance" in row)
    transfer, natural = across(rows, "transfer_rate"), select(rows, metric="r_squared", eps=None)
    adversarial = across(rows, "r_squared")
    settings = settings_of(transfer + adversarial, ["model", "attack", "ball"])
    with style.drawing(path, len(settings), 2, height=4.4 * max(len(settings), 1)) as (_, grid):
        if not settings:
            blank(grid[0, 0], "no rows with a distance")
            blank(grid[0, 1])
        for (left, right), setting in zip(grid, settings, strict=False):
            _draw_transfer(left, select(transfer, **setting))
            _draw_correlation(
                right, select(adversarial, **setting), select(natural, model=setting["model"])
            )
            for ax in (left, right):
                ax.set_title(heading(setting))
                ax.set_xlabel("squared parameter distance ‖θ₁ − θ₂‖²")


def _joined(clouds: Mapping[int, Cloud]) -> Cloud:
    """The points of all seeds."""
    return Cloud(
        [x for cloud in clouds.values() for x in cloud.distance],
        [y for cloud in clouds.values() for y in cloud.value],
    )


def _draw_transfer(ax: Axes, rows: Sequence[Row]) -> None:
    """Points and a line for each ε."""
    radii = sorted(distinct(rows, "eps"))
    for eps, colour in zip(radii, ordered_colours(len(radii)), strict=True):
        clouds = against_distance(select(rows, eps=eps))
        cloud, line, label = _joined(clouds), mean_line(clouds.values()), f"ε = {eps:.3g}"
        if line is not None:
            ends = np.array([min(cloud.distance), max(cloud.distance)])
            ax.plot(ends, line.intercept + line.slope.mean * ends, color=colour, lw=1.6)
            label += f": {per_unit(line.slope, _UNIT)}"
        ax.plot(*cloud, color=colour, label=label, **_MARKS)
    limit(ax, 0, 1)
    _say_unknown(ax, rows, "transfer_rate")
    ax.set_ylabel("transfer rate")
    _legend_below(ax, f"slope per {_UNIT:,} of squared distance ± 95 %")


def _draw_correlation(ax: Axes, rows: Sequence[Row], natural: Sequence[Row]) -> None:
    """R² on natural inputs in grey, and on adversarial inputs of each ε."""
    radii = sorted(distinct(rows, "eps"))
    clouds: list[tuple[Cloud, Any, str]] = [
        (_joined(against_distance(natural)), GREY, "natural inputs")
    ]
    for eps, colour in zip(radii, ordered_colours(len(radii)), strict=True):
        cloud = _joined(against_distance(select(rows, eps=eps)))
        clouds.append((cloud, colour, f"ε = {eps:.3g}"))
    lowest = 0.0
    for cloud, colour, label in clouds:
        if cloud.value:
            ax.plot(*cloud, color=colour, label=label, **_MARKS)
            lowest = min(lowest, *cloud.value)
    limit(ax, lowest, 1)
    _say_unknown(ax, [*rows, *natural], "r_squared")
    ax.set_ylabel("R² of the features")
    _legend_below(ax, "measured on")


def _say_unknown(ax: Axes, rows: Sequence[Row], metric: str) -> None:
    """Above the panel, how many pairs are no points in it though they were measured."""
    lost = len(unknown_pairs(rows))
    if lost:
        words = f"{lost} pair{'' if lost == 1 else 's'} {why_unknown(metric)}"
        ax.set_title(words, loc="right", color=GREY, fontweight="normal")


def _legend_below(ax: Axes, title: str) -> None:
    """A legend under the panel, where it hides no point."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        place: dict[str, Any] = {
            "loc": "upper left",
            "bbox_to_anchor": (-0.02, -0.17),
            "alignment": "left",
        }
        space: dict[str, Any] = {
            "borderpad": 0.0,
            "columnspacing": 1.0,
            "handletextpad": 0.3,
            "fontsize": 8.5,
        }
        ax.legend(handles, labels, ncols=2, title=title, title_fontsize=8.5, **place, **space)
