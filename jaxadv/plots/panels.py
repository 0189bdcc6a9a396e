"""One panel, and a grid of them: limits, labels, and what stands where nothing can be drawn."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes

from jaxadv.metrics import Interval
from jaxadv.plots.colours import GREY
from jaxadv.plots.reduce import Point

Grid: TypeAlias = np.ndarray  # of Axes, [rows, columns]


def grid_height(rows: int) -> float:
    """Inches of a grid of panels with a legend above."""
    return 2.5 * max(rows, 1) + 0.6


def label_rows(grid: Grid, label: str, *, shared: bool = True) -> None:
    """Name the vertical axis of each row once, and number it once where all panels share it."""
    for line in grid:
        drawn = [ax for ax in line if ax.axison]
        for ax in drawn[:1]:
            ax.set_ylabel(label)
        for ax in drawn[1:] if shared else ():
            ax.tick_params(axis="y", labelleft=False, length=0)


def label_columns(grid: Grid) -> None:
    """Of many columns whose horizontal axes have one label, the middle one has it."""
    for line in grid:
        drawn = [ax for ax in line if ax.axison]
        if len(drawn) > 3 and len({ax.get_xlabel() for ax in drawn}) == 1:
            for ax in drawn:
                ax.set_xlabel(ax.get_xlabel() if ax is drawn[len(drawn) // 2] else "")


def limit(ax: Axes, low: float, high: float) -> None:
    """Vertical limits, with room for a mark that lies on one."""
    margin = 0.02 * (high - low)
    ax.set_ylim(low - margin, high + margin)


def spread(values: Sequence[float], least: float) -> list[float]:
    """Those of ascending values whose labels do not overlap: apart by a share of their range."""
    kept: list[float] = []
    for value in values:
        if not kept or value - kept[-1] >= least * (values[-1] - values[0]):
            kept.append(value)
    return kept


def half(value: Interval) -> float | None:
    """The half-width to be drawn: none of two seeds, whose interval says hardly anything."""
    return value.half if value.n > 2 else None


def blank(ax: Axes, note: str = "") -> None:
    """An empty place in the grid, with a word on why if there is one."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, note, ha="center", va="center", color=GREY, transform=ax.transAxes)


def no_value(ax: Axes, x: float, point: Point, colour: str, why: str, shift: float = 0) -> None:
    """Say at the foot of a panel why nothing is drawn there; shift: to the right, in points."""
    ax.annotate(
        why if point.lost else "0/0",
        (x, 0.02),
        xycoords=ax.get_xaxis_transform(),
        xytext=(shift, 0),
        textcoords="offset points",
        rotation=90,
        ha="center",
        va="bottom",
        color=colour,
        fontsize=8,
    )
