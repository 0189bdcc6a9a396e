"""Every way to make members differ: functions of the ensemble and a batch returning a scalar."""

from jaxadv.losses.classification import accuracy, cross_entropy, join, log_odds, margins
from jaxadv.losses.correlation import (
    correlation_loss,
    ensemble_correlation,
    held_out_r_squared,
    r_squared,
)
from jaxadv.losses.distance import distance_loss, squared_distance
from jaxadv.losses.regression import Regression, check_regression, kept_columns, regress
from jaxadv.losses.tasks import Task, classify, reconstruct, reconstruct_in, squared_errors

__all__ = [
    "Regression",
    "Task",
    "accuracy",
    "check_regression",
    "classify",
    "correlation_loss",
    "cross_entropy",
    "distance_loss",
    "ensemble_correlation",
    "held_out_r_squared",
    "join",
    "kept_columns",
    "log_odds",
    "margins",
    "r_squared",
    "reconstruct",
    "reconstruct_in",
    "regress",
    "squared_distance",
    "squared_errors",
]
