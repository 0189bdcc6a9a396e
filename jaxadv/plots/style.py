"""How every figure looks, and the one place where a file is written.

Figures are matplotlib objects on the Agg canvas; pyplot, its global state and the reader's own
matplotlib settings are left alone.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from jaxadv.plots.colours import CLASSES, GREY, INK, NAMED, OTHERS, PALE
from jaxadv.plots.panels import Grid
from jaxadv.plots.quantise import quantised
from jaxadv.results import write_atomically

DPI = 150
WIDTH = 9.0  # inches across a whole figure: about the width of a README at two pixels a point

_STYLE = {
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

POINTS = 0.55  # the opacity of a scatter's points


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
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(max(rows, 1), max(columns, 1), squeeze=False)
        finish(figure, path)
