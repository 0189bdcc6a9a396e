"""Any metric against any key of its rows, the attack's radius as a rule."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxadv.evaluation import ALL
from jaxadv.plots import style
from jaxadv.plots.colours import GREY, colours_of
from jaxadv.plots.labels import axis_label, heading, radius, told_apart, words
from jaxadv.plots.legends import legend_above
from jaxadv.plots.panels import (
    blank,
    grid_height,
    half,
    label_columns,
    label_rows,
    limit,
    no_value,
    spread,
)
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

_MOST = 6  # variants in a panel whose curves an eye can follow


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

    rows: dicts with `metric`, `value`, `n` and `seed` beside the keys that tell them apart.
    path: where the PNG is written.
    x: the key across. down: the key whose values have a row of panels each. panels: the keys whose
    values have a column each. colour: the keys whose values have a colour each. Examples crafted on
    one member are a full line, those crafted on all at once a dashed one. Where no seed has a value
    a word says why, 0/0 or networks that diverged, and the legend how many of these. More than
    six colours are spread over several rows of panels, the first of them in each.
    label, across_label: of the axes, if not the metric's and the key's name.
    limits: of the vertical axis; None takes what the data need.
    separate: whether examples crafted on one member and on all are told apart.

    >>> import tempfile
    >>> from PIL import Image
    >>> from jaxadv import plots
    >>> at = {"metric": "transfer_rate", "model": "cnn", "attack": "pgd", "n": 100, "source": "1"}
    >>> rows = [{**at, "seed": 0, "eps": eps, "value": 5 * eps} for eps in (0.05, 0.1)]
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     plots.metric_lines(rows, "transfer_rate", file.name)
    ...     Image.open(file.name).width  # of a figure 9 inches wide
    1350
    """
    rows, label = across(rows, metric, x), label or words(metric)
    if not separate:
        rows = [{key: value for key, value in row.items() if key != "source"} for row in rows]
    columns, keys = settings_of(rows, panels), _named(settings_of(rows, colour))
    colours = colours_of(list(keys))
    lines = list(product(settings_of(rows, [down]), _in_groups(list(keys))))
    told, common = told_apart([{**first, **column} for first, _ in lines for column in columns])
    points: dict[str, list[Point]] = {name: [] for name in colours}
    why, height = why_unknown(metric), grid_height(len(lines))
    with style.drawing(path, len(lines), len(columns), height=height) as (figure, grid):
        if not rows:
            blank(grid[0, 0], f"no {label}")
        for line, (first, group) in zip(grid, lines, strict=False):
            for ax, column in zip(line, columns, strict=False):
                setting = {**first, **column}
                here = select(rows, **setting)
                each = {name: select(here, **keys[name]) for name in group}
                _draw_lines(ax, each, x, colours, points, why)
                ax.set_title(heading({k: v for k, v in setting.items() if k in told}))
                ax.set_xlabel(axis_label(x, setting) if across_label is None else across_label)
                if limits is not None:
                    limit(ax, *limits)
        label_rows(grid, label, shared=limits is not None)
        label_columns(grid)
        _legend(figure, rows, colours, points, why, common)


def _named(settings: Sequence[Setting]) -> dict[str, Setting]:
    """Settings by a name made of their values."""
    return {" → ".join(map(str, setting.values())): setting for setting in settings}


def _legend(
    figure: Figure,
    rows: Sequence[Row],
    colours: Mapping[str, str],
    points: Mapping[str, Sequence[Point]],
    why: str,
    common: str,
) -> None:
    """The legend of all panels, with that of the dashes if any examples were crafted on all."""
    marks = {name: Line2D([], [], color=shade, lw=2) for name, shade in colours.items()}
    styles = {
        "crafted on one network": Line2D([], [], color=GREY, lw=2),
        "crafted on all": Line2D([], [], color=GREY, lw=2, ls="--"),
    }
    joint = any(row.get("source") == ALL for row in rows)
    legend_above(figure, marks, points, styles if joint else None, why, common)


def _in_groups(names: Sequence[str]) -> list[list[str]]:
    """The names as they can be told apart in one panel: the first with a few others at a time."""
    if len(names) <= _MOST:
        return [list(names)]
    first, *others = names
    parts = np.array_split(others, -(-len(others) // (_MOST - 1)))
    return [[first, *map(str, part)] for part in parts]


def _draw_lines(
    ax: Axes,
    each: dict[str, list[Row]],
    x: str,
    colours: dict[str, str],
    points: dict[str, list[Point]],
    why: str,
) -> None:
    """One panel of the rows of each colour; adds what it draws to each colour's points."""
    places = sorted({row[x] for rows in each.values() for row in rows})
    if not places:
        blank(ax)
        return
    for index, (name, mine) in enumerate(each.items()):
        missing = dict[float, Point]()
        for chosen, dashes in ((single_source(mine), "-"), (select(mine, source=ALL), "--")):
            found = against(chosen, x)
            known = [point for point in found if point.value is not None]
            _draw_line(ax, known, colours[name], dashes)
            missing |= {point.x: point for point in found if point.value is None}
            points[name] += found
        for point in missing.values():
            no_value(ax, point.x, point, colours[name], why, 9 * index)
    ticks = spread(places, 0.12)
    ax.set_xticks(ticks, [radius(t) if x == "eps" else f"{t:.3g}" for t in ticks])


def _draw_line(ax: Axes, points: Sequence[Point], colour: str, dashes: str) -> None:
    """One line with its band, through points that have a value."""
    if not points:
        return
    places = np.array([point.x for point in points])
    values = [point.value for point in points if point.value is not None]
    mean = np.array([value.mean for value in values])
    band = np.array([np.nan if half(value) is None else half(value) for value in values])
    ax.fill_between(places, mean - band, mean + band, color=colour, alpha=0.16, lw=0)
    ax.plot(places, mean, dashes, color=colour, lw=1.8, marker="o", ms=4)
