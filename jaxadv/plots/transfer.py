"""Transfer rates of defended and plain pairs as bars (Wiedeman & Wang, Patterns 2022, Fig 3)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from jaxadv.plots import style
from jaxadv.plots.colours import INK, colours_of
from jaxadv.plots.labels import axis_label, heading, radius
from jaxadv.plots.legends import legend_above
from jaxadv.plots.panels import blank, grid_height, half, label_rows, no_value
from jaxadv.plots.reduce import (
    Point,
    Setting,
    across,
    against,
    distinct,
    settings_of,
    single_source,
    why_unknown,
)
from jaxadv.results import Row, select


def transfer_bars(rows: Sequence[Row], path: str | Path) -> None:
    """Mean transfer rate, averaged over directions, with its 95 % interval over seeds, against ε.

    As Wiedeman & Wang (Patterns 2022, Fig. 3). There is a row of panels for each model, a column
    for each attack and ball, and a colour for each variant. A rate that is 0/0 for every seed, or
    of networks that diverged, is written in words, for it is not zero.

    rows: of the metric "transfer_rate" at least. path: of the PNG.

    >>> import os, tempfile
    >>> from jaxadv import plots
    >>> row = {"model": "fc", "attack": "fgsm", "ball": "linf", "eps": 0.1, "variant": "plain"}
    >>> rows = [
    ...     {**row, "metric": "transfer_rate", "value": value, "n": 100, "seed": seed}
    ...     for seed, value in enumerate([0.5, 0.75])
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.transfer_bars(rows, f"{folder}/transfer.png")
    ...     print(os.listdir(folder))
    ['transfer.png']

    Raises:
        UserError: if the file cannot be written.
    """
    rows = single_source(across(rows, "transfer_rate"))
    models, attacks = settings_of(rows, ["model"]), settings_of(rows, ["attack", "ball"])
    colours = colours_of(distinct(rows, "variant"))
    height = grid_height(len(models))
    with style.drawing(path, len(models), len(attacks), height=height) as (figure, grid):
        points: dict[str, list[Point]] = {name: [] for name in colours}
        if not rows:
            blank(grid[0, 0], "no transfer rates")
        for line, model in zip(grid, models, strict=False):
            for ax, attack in zip(line, attacks, strict=False):
                _draw_bars(ax, rows, {**model, **attack}, colours, points)
        label_rows(grid, "transfer rate")
        boxes = {name: Patch(color=colour) for name, colour in colours.items()}
        legend_above(figure, boxes, points)


def _draw_bars(
    ax: Axes,
    rows: Sequence[Row],
    setting: Setting,
    colours: dict[str, str],
    points: dict[str, list[Point]],
) -> None:
    """One panel; adds what it draws to each variant's points."""
    here = select(rows, **setting)
    if not here:
        blank(ax)
        return
    radii = sorted(distinct(here, "eps"))
    width = 0.8 / len(colours)
    for index, (variant, colour) in enumerate(colours.items()):
        offset = (index - (len(colours) - 1) / 2) * width
        for point in against(select(here, variant=variant)):
            x = radii.index(point.x) + offset
            points[variant].append(point)
            if point.value is None:
                no_value(ax, x, point, colour, why_unknown("transfer_rate"))
                continue
            mean, interval = point.value.mean, half(point.value)
            ax.bar(x, mean, 0.92 * width, color=colour)
            if interval is not None:
                ax.errorbar(x, mean, interval, color=INK, elinewidth=1.1, capsize=2)
    ax.set_title(heading(setting))
    ax.set_xticks(range(len(radii)), [radius(eps) for eps in radii])
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(radii) - 0.5)
    ax.set_ylim(0, 1)
    ax.set_xlabel(axis_label("eps", setting))
