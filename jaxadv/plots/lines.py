"""Any metric against any key of its rows, the attack's radius as a rule."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxadv.evaluation import ALL
from jaxadv.plots import style
from jaxadv.plots.reduce import (
    Point,
    Setting,
    across,
    against,
    settings_of,
    single_source,
    why_unknown,
)
from jaxadv.results import Row, select

MOST = 6  # variants in a panel whose curves an eye can follow


def metric_lines(
    rows: Sequence[Row],
    metric: str,
    path: str | Path,
    *,
    x: str = "eps",
    down: str = "model",
    panels: Sequence[str] = ("attack", "ball"),
    colour: Sequence[str] = ("variant",),
    label: str | None = None,
    across_label: str | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    separate: bool = True,
) -> None:
    """Mean of `metric` against a key of its rows, its 95 % interval over seeds as a band.

    x: the key across. down: the key whose values have a row of panels each. panels: the keys whose
    values have a column each. colour: the keys whose values have a colour each. Examples crafted on
    one member are a full line, those crafted on all at once a dashed one. Where no seed has a value
    a word says why, 0/0 or networks that diverged, and the legend how many of these. More than
    six colours are spread over several rows of panels, the first of them in each.
    label, across_label: of the axes, if not the metric's and the key's name.
    limits: of the vertical axis; None takes what the data need.
    separate: whether examples crafted on one member and on all are told apart.
    """
    rows, label = across(rows, metric, x), label or style.words(metric)
    if not separate:
        rows = [{key: value for key, value in row.items() if key != "source"} for row in rows]
    columns = settings_of(rows, panels)
    keys = {" → ".join(map(str, of.values())): of for of in settings_of(rows, colour)}
    colours = style.colours_of(list(keys))
    lines = list(product(settings_of(rows, [down]), in_groups(list(keys))))
    height = style.grid_height(len(lines))
    with style.drawing(path, len(lines), len(columns), height=height) as (figure, grid):
        if not rows:
            style.blank(grid[0, 0], f"no {label}")
        points: dict[str, list[Point]] = {name: [] for name in colours}
        why = why_unknown(metric)
        settings = [{**first, **column} for first, _ in lines for column in columns]
        told = style.varying(settings)
        common = style.heading({k: v for k, v in (settings or [{}])[0].items() if k not in told})
        for line, (first, group) in zip(grid, lines, strict=False):
            for ax, column in zip(line, columns, strict=False):
                setting = {**first, **column}
                here = select(rows, **setting)
                each = {name: select(here, **keys[name]) for name in group}
                draw_lines(ax, each, x, setting, colours, points, why)
                ax.set_title(style.heading({k: v for k, v in setting.items() if k in told}))
                if across_label is not None:
                    ax.set_xlabel(across_label)
                if limits is not None:
                    style.limit(ax, *limits)
        style.label_rows(grid, label, shared=limits is not None)
        style.label_columns(grid)
        marks = {name: Line2D([], [], color=shade, lw=2) for name, shade in colours.items()}
        styles = {
            "crafted on one network": Line2D([], [], color=style.GREY, lw=2),
            "crafted on all": Line2D([], [], color=style.GREY, lw=2, ls="--"),
        }
        joint = any(row.get("source") == ALL for row in rows)
        style.legend_above(figure, marks, points, styles if joint else None, why, common)


def in_groups(names: Sequence[str]) -> list[list[str]]:
    """The names as they can be told apart in one panel: the first with a few others at a time."""
    if len(names) <= MOST:
        return [list(names)]
    first, *others = names
    parts = np.array_split(others, -(-len(others) // (MOST - 1)))
    return [[first, *map(str, part)] for part in parts]


def draw_lines(
    ax: Axes,
    each: dict[str, list[Row]],
    x: str,
    setting: Setting,
    colours: dict[str, str],
    points: dict[str, list[Point]],
    why: str,
) -> None:
    """One panel of the rows of each colour; adds what it draws to each colour's points."""
    places = sorted({row[x] for rows in each.values() for row in rows})
    if not places:
        style.blank(ax)
        return
    for index, (name, mine) in enumerate(each.items()):
        missing = dict[float, Point]()
        for chosen, dashes in ((single_source(mine), "-"), (select(mine, source=ALL), "--")):
            found = against(chosen, x)
            known = [point for point in found if point.value is not None]
            draw_line(ax, known, colours[name], dashes)
            missing |= {point.x: point for point in found if point.value is None}
            points[name] += found
        for point in missing.values():
            style.no_value(ax, point.x, point, colours[name], why, 9 * index)
    ticks = style.spread(places, 0.12)
    ax.set_title(style.heading(setting))
    ax.set_xticks(ticks, [style.radius(t) if x == "eps" else f"{t:.3g}" for t in ticks])
    ax.set_xlabel(style.axis_label(x, setting))


def draw_line(ax: Axes, points: Sequence[Point], colour: str, dashes: str) -> None:
    """One line with its band, through points that have a value."""
    if not points:
        return
    places = np.array([point.x for point in points])
    values = [point.value for point in points if point.value is not None]
    mean = np.array([value.mean for value in values])
    half = np.array(
        [np.nan if style.half(value) is None else style.half(value) for value in values]
    )
    ax.fill_between(places, mean - half, mean + half, color=colour, alpha=0.16, lw=0)
    ax.plot(places, mean, dashes, color=colour, lw=1.8, marker="o", ms=4)
