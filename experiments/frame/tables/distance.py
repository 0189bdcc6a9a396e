"""The table of what changes with the distance of two networks' weights."""

from collections.abc import Sequence

from experiments.frame.tables.table import Table
from jaxadv.metrics import mean_line
from jaxadv.plots.reduce import (
    against_distance,
    distinct,
    single_source,
    unknown_pairs,
    why_unknown,
)
from jaxadv.results import Row, select


def slopes(rows: Sequence[Row]) -> Table:
    """Transfer and R² against ‖θ1 − θ2‖²: the mean slope of the seeds' least-squares lines."""
    header = ["model", "metric", "eps", "pairs", "mean", "slope per 1000", "seeds"]
    header += ["0 in the interval"]
    lines = []
    for model in distinct(rows, "model"):
        for metric in ("transfer_rate", "r_squared", "r_squared_held_out"):
            measured = single_source(select(rows, model=model, metric=metric))
            for eps in [None, *distinct(measured, "eps")]:
                cells = _slope(select(measured, eps=eps), why_unknown(metric))
                if cells:
                    at = "natural" if eps is None else f"{eps:.3g}"
                    lines.append([model, metric, at, *cells])
    title = "Against the squared distance of the weights: slope of each seed's line, mean ± 95 %"
    return Table(title, header, lines)


def _slope(rows: Sequence[Row], why: str) -> list[str]:
    """Pairs, mean, slope, seeds, whether 0 is in its interval; dashes where pairs had none to give.

    Nothing where nothing was measured. why: in a word, why pairs have no value.
    """
    clouds, lost = against_distance(rows), len(unknown_pairs(rows))
    line = mean_line(clouds.values())
    if line is None and not lost:
        return []
    values = [value for cloud in clouds.values() for value in cloud.value]
    pairs = f"{len(values)}, {lost} {why}" if lost else str(len(values))
    mean = f"{sum(values) / len(values):.3f}" if values else "–"
    if line is None:
        return [pairs, mean, *["–"] * 3]
    slope = line.slope
    half = "" if slope.half is None else f" ± {1000 * slope.half:.4f}"
    within = "–" if slope.half is None else "no" if slope.excludes_zero else "yes"
    return [pairs, mean, f"{1000 * slope.mean:+z.4f}{half}", str(slope.n), within]
