"""How every figure looks: colours, words, sizes, and the one place where a file is written.

Figures are matplotlib objects on the Agg canvas; pyplot, its global state and the reader's own
matplotlib settings are left alone.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from jaxadv.metrics import Interval
from jaxadv.plots.quantise import quantised
from jaxadv.plots.reduce import Point, seeds_label
from jaxadv.results import write_atomically

Grid: TypeAlias = np.ndarray  # of Axes, [rows, columns]

DPI = 150
WIDTH = 9.0  # inches across a whole figure: about the width of a README at two pixels a point
INK, GREY, PALE = "#262626", "#767676", "#dcdcdc"

STYLE = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.06,
}

# Okabe & Ito, told apart by every kind of colour vision; the two of the main study are fixed
NAMED = {"plain": "#E69F00", "decorrelated": "#0072B2"}
OTHERS = (
    *("#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#262626", "#832DB6", "#A96B59", "#94A4A2"),  # Petroff's where theirs are used up
)

# Petroff, "Accessible color sequences for data visualization" (2021): ten that stay distinct
CLASSES = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)

POINTS = 0.55  # the opacity of a scatter's points

MODELS = {"cnn": "CNN", "fc": "FC", "lenet": "LeNet", "dna": "DNA", "ae": "AE"}
# variants as papers write them
VARIANTS = {
    "gal": "GAL",
    "adp": "ADP",
    "dverge": "DVERGE",
    "dverge-decorrelated": "DVERGE from decorrelated",
}
BALLS = {"linf": r"$\ell_\infty$", "l2": r"$\ell_2$"}


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each variant, the same in every figure for those of the main study."""
    others = [name for name in names if name not in NAMED]
    free = [*OTHERS, *(colour for name, colour in NAMED.items() if name not in names)]
    rest = {name: free[i % len(free)] for i, name in enumerate(others)}
    return {name: NAMED.get(name) or rest[name] for name in names}


def ordered_colours(count: int) -> list[tuple[float, ...]]:
    """Colours for an ordered quantity, the larger the darker."""
    return [mpl.colormaps["viridis"](v) for v in np.linspace(0.82, 0.12, max(count, 1))][:count]


def heading(setting: Mapping[str, Any]) -> str:
    """The title of a panel, such as "CNN · FGSM · l∞ · ε = 0.1"."""
    return " · ".join(_worded(key, value) for key, value in setting.items() if value is not None)


def _worded(key: str, value: Any) -> str:
    if key == "attack":
        return str(value).upper().replace("_", "-")
    if key == "eps":
        return f"ε = {radius(value, 'g')}"
    known = {"model": MODELS, "ball": BALLS}.get(key, {})
    return known.get(value, str(value))


def radius(eps: float, written: str = ".3g") -> str:
    """A radius as the field writes it: 2/255 where it is so many steps of 8-bit images."""
    steps = 255 * eps
    whole = abs(steps - round(steps)) < 1e-3 and 1 <= round(steps) <= 16
    return f"{round(steps)}/255" if whole else f"{eps:{written}}"


def varying(settings: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys in which the settings of panels differ; all of them of a single panel."""
    if len(settings) < 2:
        return {key for setting in settings for key in setting}
    return {key for key in settings[0] if len({setting.get(key) for setting in settings}) > 1}


def label_columns(grid: Grid) -> None:
    """Of many columns whose horizontal axes have one label, the middle one has it."""
    for line in grid:
        drawn = [ax for ax in line if ax.axison]
        if len(drawn) > 3 and len({ax.get_xlabel() for ax in drawn}) == 1:
            for ax in drawn:
                ax.set_xlabel(ax.get_xlabel() if ax is drawn[len(drawn) // 2] else "")


def axis_label(x: str, setting: Mapping[str, Any]) -> str:
    """The label of a horizontal axis: of a key of rows."""
    if x != "eps":
        return words(x)
    ball = setting.get("ball") or ""
    return f"{BALLS.get(ball, ball)} radius, image range [0, 1]".strip()


def words(name: str) -> str:
    """A key of a row as a reader would write it."""
    return name.replace("r_squared", "R²").replace("_", " ")


def half(value: Interval) -> float | None:
    """The half-width to be drawn: none of two seeds, whose interval says hardly anything."""
    return value.half if value.n > 2 else None


def per_unit(slope: Interval, unit: float) -> str:
    """A slope for each `unit` of the abscissa, with its sign and interval."""
    half = "" if slope.half is None else f" ± {slope.half * unit:.3f}"
    return f"{slope.mean * unit:+.3f}{half}".replace("-", "−")


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


def finish(figure: Figure, path: str | Path) -> None:
    """Write a PNG of at most 256 colours under a temporary name, then rename."""
    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI, facecolor="white")
    colours = (*NAMED.values(), *OTHERS, *CLASSES)
    image = quantised(Image.open(raw).convert("RGB"), colours, (1, POINTS))
    image.save(small, format="PNG", optimize=True, dpi=(DPI, DPI))
    write_atomically(Path(path), small.getvalue())


@contextmanager
def drawing(
    path: str | Path, rows: int, columns: int, *, width: float = WIDTH, height: float
) -> Iterator[tuple[Figure, Grid]]:
    """A figure and its `[rows, columns]` axes in the house style, written to `path` on leaving.

    width, height: inches of the whole. Nothing is written if drawing raises.
    """
    with style.context(STYLE, after_reset=True):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(max(rows, 1), max(columns, 1), squeeze=False)
        finish(figure, path)


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


def blank(ax: Axes, note: str = "") -> None:
    """An empty place in the grid, with a word on why if there is one."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, note, ha="center", va="center", color=GREY, transform=ax.transAxes)


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


def legend_above(
    figure: Figure,
    entries: Mapping[str, Artist],
    points: Mapping[str, Sequence[Point]],
    extra: Mapping[str, Artist] | None = None,
    why: str = "diverged",
    common: str = "",
) -> None:
    """One legend for all panels, above them: each variant with its counts of seeds, then `extra`.

    It says that intervals are drawn where any value stands for more than two seeds, and how many
    seeds have none, `why` in a word. common: what all panels show.
    """
    labels = {
        name: f"{VARIANTS.get(name, name)} ({seeds_label(points[name], why)})" for name in entries
    }
    handles = {labels[name]: mark for name, mark in entries.items()}
    handles |= extra or {}
    if handles:
        drawn = (point.value for each in points.values() for point in each)
        several = any(value is not None and half(value) is not None for value in drawn)
        bands = "mean and 95 % interval over seeds" if several else ""
        legend_within(
            figure,
            handles,
            range(min(len(handles), 4), 0, -1),
            title=" · ".join(filter(None, [common, bands])) or None,
            loc="outside upper left",
            alignment="left",
            columnspacing=2.0,
        )


def legend_within(
    figure: Figure, entries: Mapping[str, Artist], columns: Sequence[int], **settings: Any
) -> None:
    """A legend of the first number of columns with which all of it lies inside the figure.

    Above the panels, a figure grows by what three lines exceed. settings: of `Figure.legend`.
    """
    for count in columns:
        legend = figure.legend(list(entries.values()), list(entries), ncols=count, **settings)
        box, whole = legend.get_window_extent(), figure.bbox
        if max(box.width / whole.width, box.height / whole.height) < 0.97:
            break
        if count != columns[-1]:
            legend.remove()
    if "upper" in settings["loc"]:
        beyond = max(box.height / figure.dpi - 0.8, 0)  # inches; panels have room for three lines
        figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + beyond)
