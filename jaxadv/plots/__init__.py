"""Figures, drawn from the written results alone: rows and arrays in, one PNG out."""

from jaxadv.plots.distance import distance_panels
from jaxadv.plots.dots import metric_dots
from jaxadv.plots.features import feature_scatter
from jaxadv.plots.lines import metric_lines
from jaxadv.plots.pictures import picture_rows
from jaxadv.plots.transfer import transfer_bars

__all__ = [
    "distance_panels",
    "feature_scatter",
    "metric_dots",
    "metric_lines",
    "picture_rows",
    "transfer_bars",
]
