"""A metric of many variants side by side: a dot with its interval each, one below the other."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from jaxadv.plots import style
from jaxadv.plots.colours import GREY, colours_of
from jaxadv.plots.labels import VARIANTS, heading, told_apart, words
from jaxadv.plots.panels import blank, half, label_columns
from jaxadv.plots.reduce import (
    across,
    against,
    distinct,
    seeds_label,
    settings_of,
    single_source,
    why_unknown,
)
from jaxadv.results import Row, select


def metric_dots(
    rows: Sequence[Row],
    metric: str,
    path: str | Path,
    *,
    panels: Sequence[str] = ("model", "attack", "ball", "eps"),
    label: str | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Mean of `metric` of every variant, with its 95 % interval over seeds, at each radius.

    Of examples crafted on one member. A dashed line in each panel goes through the first variant's
    mean, with which the others are compared. panels: the keys whose values have a panel each.
    label: of the horizontal axis, if not the metric's name. limits: of that axis.

    >>> import os, tempfile
    >>> from jaxadv import plots
    >>> row = {"metric": "transfer_rate", "attack": "fgsm", "ball": "linf", "eps": 0.1, "seed": 0}
    >>> rates = {"plain": 0.5, "gal": 0.25}
    >>> rows = [{**row, "variant": name, "value": rate, "n": 9} for name, rate in rates.items()]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.metric_dots(rows, "transfer_rate", f"{folder}/dots.png")
    ...     print(os.listdir(folder))
    ['dots.png']
    """
    rows = single_source(across(rows, metric))
    settings, variants = settings_of(rows, panels), distinct(rows, "variant")
    told, common = told_apart(settings)
    height = 0.24 * len(variants) + 1.1
    with style.drawing(path, 1, len(settings), height=height) as (figure, grid):
        if not rows:
            blank(grid[0, 0], f"no {label or words(metric)}")
        for ax, setting in zip(grid[0], settings, strict=False):
            _draw_dots(ax, select(rows, **setting), variants, why_unknown(metric))
            ax.set_title(heading({k: v for k, v in setting.items() if k in told}))
            ax.set_xlabel(label or words(metric))
            ax.set_xlim(*limits)
        label_columns(grid)
        for ax in grid[0, 1:]:
            ax.tick_params(axis="y", labelleft=False)
        figure.suptitle(" · ".join(filter(None, [common, _seeds(rows)])), x=0.01, ha="left", size=9)


def _seeds(rows: Sequence[Row]) -> str:
    """What stands behind the dots, for the heading."""
    if not rows:
        return ""
    points = [p for name in distinct(rows, "variant") for p in against(select(rows, variant=name))]
    several = any(p.value is not None and half(p.value) is not None for p in points)
    what = "mean and 95 % interval over seeds" if several else "mean over seeds"
    return f"{what} ({seeds_label(points)})"


def _draw_dots(ax: Axes, rows: Sequence[Row], variants: Sequence[str], why: str) -> None:
    """One panel, the first variant on top."""
    colours = colours_of(variants)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    for place, variant in enumerate(variants):
        for point in against(select(rows, variant=variant)):
            if point.value is None:
                word = why if point.lost else "0/0"
                ax.text(0.02, place, word, color=GREY, va="center", fontsize=8)
                continue
            mean, colour = point.value.mean, colours[variant]
            if place == 0:
                ax.axvline(mean, color=colour, lw=1, ls="--", zorder=0)
            width = half(point.value)
            ax.errorbar(mean, place, xerr=width, fmt="o", color=colour, ms=5, elinewidth=1.6)
    ax.set_yticks(range(len(variants)), [VARIANTS.get(name, name) for name in variants])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(variants) - 0.5, -0.5)
