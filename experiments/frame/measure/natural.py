"""Trained runs on natural images: accuracy, and scores of the features."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from experiments.frame import rows as to_rows
from experiments.frame.grid import Keys
from experiments.frame.job import Job
from experiments.frame.measure import features
from experiments.frame.parts import Measured
from jaxadv.compilation import jit
from jaxadv.data import Dataset
from jaxadv.ensemble import Ensemble
from jaxadv.parallel import collected, over_runs
from jaxadv.results import Row
from jaxadv.training import State


@lru_cache(maxsize=4)
def _program(ensemble: Ensemble) -> Callable[..., Any]:
    """Scores of the features of every run; traced once by a study that measures on the way."""
    return jit(over_runs(features.natural(ensemble)))


def accuracy_rows(
    ensemble: Ensemble, state: State, data: Dataset, runs: Sequence[Keys]
) -> list[Row]:
    """Each run's rows of clean accuracy."""
    program = jit(over_runs(features.probabilities(ensemble)))
    clean = jax.device_get(collected(program(state.variables, data.images)))
    return [
        row
        for probabilities, run in zip(clean, runs, strict=True)
        for row in to_rows.clean_rows(probabilities, data.labels, run)
    ]


def natural(job: Job[Any], ensemble: Ensemble, state: State, runs: Sequence[Keys]) -> Measured:
    """Clean accuracy on the test images, scores of the features, the components a scatter shows."""
    width = features.feature_width(ensemble, job.splits.test)
    sample, split = features.sample_for_features(job.splits, width)
    rows = accuracy_rows(ensemble, state, job.splits.test, runs)
    measured = jax.device_get(collected(_program(ensemble)(state.variables, sample)))
    for number, run in enumerate(runs):
        mine = {name: value[number] for name, value in measured.items()}
        rows += _feature_rows(mine, len(sample.labels), width, {**run, "split": split})
    labels = np.asarray(sample.labels[: features.SCATTER_POINTS], np.int16)
    return Measured(rows, {"components": measured["components"], "component_labels": labels}, {})


def _feature_rows(measured: dict[str, Any], count: int, width: int, keys: Keys) -> list[Row]:
    """One run's rows, measured on so many images."""
    pairs = {name: value for name, value in measured.items() if "r_squared" in name and value.ndim}
    rows = list(to_rows.feature_rows(pairs, count // 2, keys))
    component = to_rows.finite(measured["component_r_squared"])
    rows.append({"metric": "component_r_squared", "value": component, "n": count, **keys})
    for member in range(len(measured["live_columns"])):
        at = {"n": count, **keys, "target": str(member + 1)}
        live = to_rows.finite(measured["live_columns"][member])
        share = to_rows.finite(measured["component_share"][member])
        whole = None if live is None else int(live)
        rows.append({"metric": "live_columns", "value": whole, **at, "of": width})
        rows.append({"metric": "component_share", "value": share, **at})
    return rows
