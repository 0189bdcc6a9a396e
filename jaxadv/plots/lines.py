"""Any metric against the attack's radius."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxadv.evaluation import ALL
from jaxadv.plots import style
from jaxadv.plots.reduce import (
    Point,
    Setting,
    against_eps,
    attacked,
    distinct,
    single_source,
    why_unknown,
    within,
)
from jaxadv.results import Row, select


def metric_lines(
    rows: Sequence[Row],
    metric: str,
    path: str | Path,
    *,
    label: str | None = None,
    across: str | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> None:
    """Mean of `metric` against ε, with its 95 % interval over seeds as a band.

    One row of panels a model, one column an attack and ball, one colour a defence. Examples crafted
    on one member are a full line, those crafted on all at once a dashed one. Where no seed has a
    value a word says why, 0/0 or networks that diverged, and the legend how many of these.
    label: of the vertical axis. limits: of the vertical axis; None takes what the data need.
    across: of the horizontal axis, where the rows' "eps" is something else.
    """
    rows, label = attacked(rows, metric), label or style.words(metric)
    models, attacks = distinct(rows, "model") or [None], distinct(rows, "attack", "ball")
    colours = style.defence_colours(distinct(rows, "defence"))
    height = style.grid_height(len(models))
    with style.drawing(path, len(models), len(attacks), height=height) as (figure, grid):
        if not rows:
            style.blank(grid[0, 0], f"no {label}")
        points: dict[str, list[Point]] = {name: [] for name in colours}
        why = why_unknown(metric)
        for line, model in zip(grid, models, strict=False):
            for ax, (attack, ball) in zip(line, attacks, strict=False):
                draw_lines(ax, rows, (model, attack, ball), colours, points, why)
                if across is not None:
                    ax.set_xlabel(across)
                if limits is not None:
                    style.limit(ax, *limits)
        style.label_rows(grid, label, shared=limits is not None)
        marks = {name: Line2D([], [], color=colour, lw=2) for name, colour in colours.items()}
        styles = {
            "crafted on one network": Line2D([], [], color=style.GREY, lw=2),
            "crafted on all": Line2D([], [], color=style.GREY, lw=2, ls="--"),
        }
        joint = any(row.get("source") == ALL for row in rows)
        style.legend_above(figure, marks, points, styles if joint else None, why)


def draw_lines(
    ax: Axes,
    rows: Sequence[Row],
    setting: Setting,
    colours: dict[str, str],
    points: dict[str, list[Point]],
    why: str,
) -> None:
    """One panel; adds what it draws to each defence's points."""
    here = within(rows, setting)
    if not here:
        style.blank(ax)
        return
    for index, (defence, colour) in enumerate(colours.items()):
        mine, missing = select(here, defence=defence), dict[float, Point]()
        for chosen, dashes in ((single_source(mine), "-"), (select(mine, source=ALL), "--")):
            found = against_eps(chosen)
            draw_line(ax, [point for point in found if point.value is not None], colour, dashes)
            missing |= {point.eps: point for point in found if point.value is None}
            points[defence] += found
        for point in missing.values():
            style.no_value(ax, point.eps, point, colour, why, 9 * index)
    radii = style.spread(sorted(distinct(here, "eps")), 0.08)
    ax.set_title(style.heading(*setting))
    ax.set_xticks(radii, [f"{eps:.3g}" for eps in radii])
    ax.set_xlabel(style.radius_label(setting[2]))


def draw_line(ax: Axes, points: Sequence[Point], colour: str, dashes: str) -> None:
    """One line with its band, through points that have a value."""
    if not points:
        return
    eps = np.array([point.eps for point in points])
    values = [point.value for point in points if point.value is not None]
    mean = np.array([value.mean for value in values])
    half = np.array([np.nan if value.half is None else value.half for value in values])
    ax.fill_between(eps, mean - half, mean + half, color=colour, alpha=0.16, lw=0)
    ax.plot(eps, mean, dashes, color=colour, lw=1.8, marker="o", ms=4)
