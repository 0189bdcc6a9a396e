"""One member's features against the other's (Wiedeman & Wang, Patterns 2022, Fig 2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from jaxadv.plots import style
from jaxadv.plots.colours import CLASSES, GREY, NAMED
from jaxadv.plots.legends import legend_within
from jaxadv.plots.panels import blank

Panel: TypeAlias = tuple[np.ndarray, np.ndarray, float | None, np.ndarray | None]


def feature_scatter(panels: Mapping[str, Panel], path: str | Path) -> None:
    """First principal component of member 1's features against that of member 2's.

    As Wiedeman & Wang (Patterns 2022, Fig. 2). More than ten classes could not be told apart and
    are drawn in one colour.

    panels: title to (x `[N]`, y `[N]`, R² or None, class labels `[N]` or None), from left to right.
    path: of the PNG.

    >>> import numpy as np, os, tempfile
    >>> from jaxadv import plots
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.feature_scatter({"plain": (x, 2 * x, 1.0, None)}, f"{folder}/features.png")
    ...     print(os.listdir(folder))
    ['features.png']

    Raises:
        UserError: if the file cannot be written.
    """
    count = max(len(panels), 1)
    side = min(3.4, (style.WIDTH - 0.6) / count)
    width = side * count + 0.6
    with style.drawing(path, 1, count, width=width, height=side + 0.55) as (figure, grid):
        if not panels:
            blank(grid[0, 0], "no features")
        for ax, (title, panel) in zip(grid[0], panels.items(), strict=False):
            _draw_features(ax, title, panel)
        grid[0, 0].set_ylabel("network 2, first component")
        classes = sorted({int(c) for *_, labels in panels.values() for c in classes_of(labels)})
        if classes:
            marks = {
                str(i): Line2D([], [], ls="", marker="o", ms=5, color=CLASSES[i]) for i in classes
            }
            settings = {"title": "class", "handletextpad": 0.1, "labelspacing": 0.35}
            legend_within(figure, marks, (1, 2, 3), loc="outside right center", **settings)


def classes_of(labels: np.ndarray | None) -> np.ndarray:
    """The classes to be coloured; none without labels, or if there are more than ten."""
    classes = np.unique(labels) if labels is not None else np.zeros(0, int)
    return classes if len(classes) and classes.max() < len(CLASSES) else classes[:0]


def _draw_features(ax: Axes, title: str, panel: Panel) -> None:
    """One panel; points that are not finite are left out, those far out are drawn on its edge.

    Its foot counts both.
    """
    x, y, r_squared, labels = panel
    x, y = np.asarray(x), np.asarray(y)
    finite = np.isfinite(x) & np.isfinite(y)
    colours: str | np.ndarray = NAMED["decorrelated"]
    if labels is not None and len(classes_of(labels)):
        colours = np.asarray(CLASSES)[np.asarray(labels)[finite]]
    # fewer points can be larger and more opaque
    size = float(np.clip(9_000 / max(len(x), 1), 4, 14))
    ax.scatter(x[finite], y[finite], s=size, c=colours, alpha=style.POINTS, linewidths=0)
    beyond = _draw_beyond(ax, x[finite], y[finite], colours)
    counts = {"not finite": int(np.sum(~finite)), "farther out": beyond}
    words = ", ".join(f"{count:,} of {len(x):,} {what}" for what, count in counts.items() if count)
    if words:
        place: dict[str, Any] = {"ha": "center", "va": "bottom", "transform": ax.transAxes}
        ax.text(0.5, 0.02, words, color=GREY, fontsize=8, **place)
    known = r_squared is not None and np.isfinite(r_squared)
    ax.set_title(f"{title}\nR² = {r_squared:.3f}" if known else f"{title}\nR² undefined")
    ax.set_xlabel("network 1, first component")
    ax.grid(True, axis="both")
    ax.set_box_aspect(1)


def _draw_beyond(ax: Axes, x: np.ndarray, y: np.ndarray, colours: str | np.ndarray) -> int:
    """Frame most of the points, and mark on the frame's edge those beyond it: how many these are.

    Decorrelated features have tails tens of times as long as all the rest is wide.
    """
    if not len(x):
        return 0
    frames = [_framed(x), _framed(y)]
    ax.set_xlim(frames[0])
    ax.set_ylim(frames[1])
    inner = [np.clip(v, *frame) for v, frame in zip((x, y), frames, strict=True)]
    beyond = (inner[0] != x) | (inner[1] != y)
    edges = colours if isinstance(colours, str) else colours[beyond]
    hollow: dict[str, Any] = {"marker": "D", "s": 12, "c": "none", "clip_on": False}
    ax.scatter(inner[0][beyond], inner[1][beyond], edgecolors=edges, **hollow)
    return int(beyond.sum())


def _framed(values: np.ndarray) -> tuple[float, float]:
    """Limits of an axis: all values, or where these reach twice as far as most do, most of them.

    Most are those between the 3rd and the 97th percentile, and a third as far again on either side.
    """
    low, high = np.percentile(values, (3, 97))
    room = (high - low) / 3
    first, last = float(values.min()), float(values.max())
    inner = (max(first, low - room), min(last, high + room))
    if not 0 < 2 * (inner[1] - inner[0]) < last - first:
        inner = (first, last)
    margin = 0.04 * (inner[1] - inner[0]) or 1.0
    return inner[0] - margin, inner[1] + margin
