"""A matrix of rates as a heat map with its numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxadv.plots import style
from jaxadv.plots.colours import INK
from jaxadv.plots.labels import words


def heat_map(
    values: np.ndarray,
    sources: Sequence[str],
    targets: Sequence[str],
    metric: str,
    path: str | Path,
) -> None:
    """Rates `[sources, targets]` in [0, 1], sources down and targets across; NaN is left blank."""
    height = 0.42 * len(sources) + 1.4
    width = min(style.WIDTH, 0.85 * len(targets) + 2.6)
    with style.drawing(path, 1, 1, width=width, height=height) as (figure, grid):
        ax = grid[0, 0]
        drawn = ax.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            rate = "–" if np.isnan(value) else f"{value:.2f}"
            colour = "white" if value > 0.6 else INK
            ax.text(j, i, rate, ha="center", va="center", color=colour)
        ax.set_xticks(range(len(targets)), targets)
        ax.set_yticks(range(len(sources)), sources)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set_xlabel("asked")
        ax.set_ylabel("made on")
        ax.set_title(words(metric))
        figure.colorbar(drawn, ax=ax, shrink=0.9)
