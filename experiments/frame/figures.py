"""Figures of finished runs, as studies list them: each writes files into a folder."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from experiments.frame.finished import Finished
from jaxadv import plots
from jaxadv.errors import printable
from jaxadv.plots.reduce import distinct
from jaxadv.results import Row, select


def say(line: str) -> None:
    """A line on stderr."""
    print(printable(line), file=sys.stderr)


def file_name(name: str) -> str:
    """A name from a file as part of a file's name: `dna-2` as it is, `../x` as `..%2Fx`."""
    return quote(name, safe=" ")


def lines(metric: str, file: str, **options: Any) -> Callable[[Finished, Path], None]:
    """A metric against a key of its rows; options: of `plots.metric_lines`."""

    def draw(run: Finished, folder: Path) -> None:
        plots.metric_lines(run.rows, metric, folder / file, **options)

    return draw


def transfer_dots(run: Finished, folder: Path) -> None:
    """Transfer rates of every variant, one below the other, in transfer.png."""
    plots.metric_dots(run.rows, "transfer_rate", folder / "transfer.png")


def transfer_bars(run: Finished, folder: Path) -> None:
    """Transfer rates against the radius, in transfer.png."""
    plots.transfer_bars(run.rows, folder / "transfer.png")


success = lines("success_rate", "success.png")


def feature_scatters(run: Finished, folder: Path) -> None:
    """Fig 2 of Wiedeman & Wang: each architecture's features, of one seed of each variant."""
    arrays = run.arrays("component")
    if not arrays:
        say(f"{run.directory}: without predictions.npz, no scatter of features")
        return
    for model in distinct(run.rows, "model"):
        labels = arrays[f"{model}/component_labels"]
        panels = {
            f"{row['variant']}, seed {row['seed']}": (*components, row["value"], labels)
            for row, components in _shown_runs(run.rows, model, arrays[f"{model}/components"])
        }
        plots.feature_scatter(panels, folder / f"features-{file_name(model)}.png")


def _shown_runs(
    rows: Sequence[Row], model: str, components: np.ndarray
) -> list[tuple[Row, np.ndarray]]:
    """Of each variant the first run that did not collapse, if there is one.

    components: `[runs, …]`; of merged runs those of the first alone are kept.
    """
    shown: dict[str, tuple[Row, np.ndarray]] = {}
    each = select(rows, metric="component_r_squared", model=model)
    for row, found in zip(each, components, strict=False):
        before = shown.get(row["variant"])
        if before is None or (before[0]["value"] is None and row["value"] is not None):
            shown[row["variant"]] = (row, found)
    return list(shown.values())
