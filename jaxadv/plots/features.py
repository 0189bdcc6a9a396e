"""One member's features against the other's (Wiedeman & Wang, Patterns 2022, Fig 2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxadv.plots import style

Panel: TypeAlias = tuple[np.ndarray, np.ndarray, float | None, np.ndarray | None]


def feature_scatter(panels: Mapping[str, Panel], path: str | Path) -> None:
    """First principal component of member 1's features against that of member 2's.

    panels: title to (x `[N]`, y `[N]`, R², class labels `[N]` or None), drawn from left to right.
    More than ten classes could not be told apart and are drawn in one colour.
    """
    count = max(len(panels), 1)
    side = min(3.4, (style.WIDTH - 0.6) / count)
    width = side * count + 0.6
    with style.drawing(path, 1, count, width=width, height=side + 0.55) as (figure, grid):
        if not panels:
            style.blank(grid[0, 0], "no features")
        for ax, (title, panel) in zip(grid[0], panels.items(), strict=False):
            draw_features(ax, title, panel)
        grid[0, 0].set_ylabel("network 2, first component")
        classes = sorted({int(c) for *_, labels in panels.values() for c in classes_of(labels)})
        if classes:
            marks = {
                str(i): Line2D([], [], ls="", marker="o", ms=5, color=style.CLASSES[i])
                for i in classes
            }
            settings = {"title": "class", "handletextpad": 0.1, "labelspacing": 0.35}
            style.legend_within(figure, marks, (1, 2, 3), loc="outside right center", **settings)


def classes_of(labels: np.ndarray | None) -> np.ndarray:
    """The classes to be coloured; none without labels, or if there are more than ten."""
    classes = np.unique(labels) if labels is not None else np.zeros(0, int)
    return classes if len(classes) and classes.max() < len(style.CLASSES) else classes[:0]


def draw_features(ax: Axes, title: str, panel: Panel) -> None:
    """One panel; points that are not finite are left out, and counted in its foot."""
    x, y, r_squared, labels = panel
    x, y = np.asarray(x), np.asarray(y)
    finite = np.isfinite(x) & np.isfinite(y)
    colours: str | np.ndarray = style.NAMED["decorrelated"]
    if labels is not None and len(classes_of(labels)):
        colours = np.asarray(style.CLASSES)[np.asarray(labels)[finite]]
    # fewer points can be larger and more opaque
    size = float(np.clip(9_000 / max(len(x), 1), 4, 14))
    ax.scatter(x[finite], y[finite], s=size, c=colours, alpha=style.POINTS, linewidths=0)
    if not finite.all():
        words = f"{np.sum(~finite):,} of {len(x):,} not finite"
        place: dict[str, Any] = {"ha": "center", "va": "bottom", "transform": ax.transAxes}
        ax.text(0.5, 0.02, words, color=style.GREY, fontsize=8, **place)
    known = r_squared is not None and np.isfinite(r_squared)
    ax.set_title(f"{title}\nR² = {r_squared:.3f}" if known else f"{title}\nR² undefined")
    ax.set_xlabel("network 1, first component")
    ax.grid(True, axis="both")
    ax.set_box_aspect(1)
