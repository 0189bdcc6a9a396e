"""Any metric against the attack's radius."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxadv.evaluation import ALL
from jaxadv.plots import style
from jaxadv.plots.reduce import Setting, against_eps, attacked, distinct, single_source, within
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
    on one member are a full line, those crafted on all at once a dashed one.
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
        counts: dict[str, list[int]] = {name: [] for name in colours}
        for line, model in zip(grid, models, strict=False):
            for ax, (attack, ball) in zip(line, attacks, strict=False):
                draw_lines(ax, rows, (model, attack, ball), colours, counts)
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
        style.legend_above(figure, marks, counts, styles if joint else None)


def draw_lines(
    ax: Axes,
    rows: Sequence[Row],
    setting: Setting,
    colours: dict[str, str],
    counts: dict[str, list[int]],
) -> None:
    """One panel; adds the counts of seeds to each defence's."""
    here = within(rows, setting)
    if not here:
        style.blank(ax)
        return
    for defence, colour in colours.items():
        mine = select(here, defence=defence)
        for chosen, dashes in ((single_source(mine), "-"), (select(mine, source=ALL), "--")):
            known = [(eps, value) for eps, value in against_eps(chosen) if value is not None]
            if not known:
                continue
            eps = np.array([eps for eps, _ in known])
            mean = np.array([value.mean for _, value in known])
            half = np.array([np.nan if v.half is None else v.half for _, v in known])
            ax.fill_between(eps, mean - half, mean + half, color=colour, alpha=0.16, lw=0)
            ax.plot(eps, mean, dashes, color=colour, lw=1.8, marker="o", ms=4)
            counts[defence] += [value.n for _, value in known]
    radii = style.spread(sorted(distinct(here, "eps")), 0.08)
    ax.set_title(style.heading(*setting))
    ax.set_xticks(radii, [f"{eps:.3g}" for eps in radii])
    ax.set_xlabel(style.radius_label(setting[2]))
