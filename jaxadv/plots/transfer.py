"""Transfer rates of defended and plain pairs as bars (Wiedeman & Wang, Patterns 2022, Fig 3)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from jaxadv.plots import style
from jaxadv.plots.reduce import Setting, against_eps, attacked, distinct, single_source, within
from jaxadv.results import Row, select


def transfer_bars(rows: Sequence[Row], path: str | Path) -> None:
    """Mean transfer rate, averaged over directions, with its 95 % interval over seeds, against ε.

    One row of panels a model, one column an attack and ball, one colour a defence. A rate that is
    0/0 for every seed is written as such, for it is not zero.
    """
    rows = single_source(attacked(rows, "transfer_rate"))
    models, attacks = distinct(rows, "model") or [None], distinct(rows, "attack", "ball")
    colours = style.defence_colours(distinct(rows, "defence"))
    height = style.grid_height(len(models))
    with style.drawing(path, len(models), len(attacks), height=height) as (figure, grid):
        counts: dict[str, list[int]] = {name: [] for name in colours}
        if not rows:
            style.blank(grid[0, 0], "no transfer rates")
        for line, model in zip(grid, models, strict=False):
            for ax, (attack, ball) in zip(line, attacks, strict=False):
                draw_bars(ax, rows, (model, attack, ball), colours, counts)
        style.label_rows(grid, "transfer rate")
        boxes = {name: Patch(color=colour) for name, colour in colours.items()}
        style.legend_above(figure, boxes, counts)


def draw_bars(
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
    radii = sorted(distinct(here, "eps"))
    width = 0.8 / len(colours)
    for index, (defence, colour) in enumerate(colours.items()):
        offset = (index - (len(colours) - 1) / 2) * width
        for point in against_eps(select(here, defence=defence)):
            x = radii.index(point.eps) + offset
            if point.value is None:
                ax.text(x, 0.02, "0/0", rotation=90, ha="center", color=colour, fontsize=8)
                continue
            mean, half, _, count = point.value
            ax.bar(x, mean, 0.92 * width, color=colour)
            if half is not None:
                ax.errorbar(x, mean, half, color=style.INK, elinewidth=1.1, capsize=2)
            counts[defence].append(count)
    ax.set_title(style.heading(*setting))
    ax.set_xticks(range(len(radii)), [f"{eps:.3g}" for eps in radii])
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(radii) - 0.5)
    ax.set_ylim(0, 1)
    ax.set_xlabel(style.radius_label(setting[2]))
