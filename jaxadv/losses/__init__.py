"""Every way to make members differ: functions of the ensemble and a batch returning a scalar."""

from jaxadv.losses.classification import accuracy, cross_entropy, join
from jaxadv.losses.correlation import (
    check_regression,
    correlation_loss,
    ensemble_correlation,
    held_out_r_squared,
    kept_columns,
    r_squared,
    regress,
)
from jaxadv.losses.distance import distance_loss, squared_distance

__all__ = [
    "accuracy",
    "check_regression",
    "correlation_loss",
    "cross_entropy",
    "distance_loss",
    "ensemble_correlation",
    "held_out_r_squared",
    "join",
    "kept_columns",
    "r_squared",
    "regress",
    "squared_distance",
]
