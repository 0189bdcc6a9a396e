"""Attack the trained runs of a study and measure their features: one program a trial."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from experiments import features
from experiments import rows as to_rows
from jaxadv import results
from jaxadv.attacks import Attack
from jaxadv.data import Dataset, Splits
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble
from jaxadv.evaluation import Predictions, each_and_all, evaluate
from jaxadv.parallel import over_runs
from jaxadv.results import Row
from jaxadv.training import State
from jaxadv.types import Array, Variables

Keys: TypeAlias = Mapping[str, Any]
Arrays: TypeAlias = dict[str, np.ndarray]
ATTACK_STREAM = 2  # folded into a run's seed: 0 is its initial weights, 1 its training


class Trial(NamedTuple):
    """One attack over a sweep of radii.

    name and ball: as rows name them. make: `eps -> Attack`. radii: `[A]`, in the ball's norm.
    limit: attack the first so many test images; 0 is all.
    """

    name: str
    ball: str
    make: Callable[[Array], Attack]
    radii: np.ndarray
    limit: int = 0

    def images(self, test: Dataset) -> Dataset:
        """The test images it attacks."""
        return Dataset(test.images[: self.limit or None], test.labels[: self.limit or None])


def predictions(
    trial: Trial,
    ensemble: Ensemble,
    state: State,
    test: Dataset,
    *,
    combine: str = "loss",
    with_features: bool = False,
    keep: int = 0,
) -> Predictions:
    """Every run's predictions under one trial, leading axis runs, on the host.

    keep: with them every run's first so many adversarial images.
    with_features: also score the features of the adversarial images, where half of these are at
        least twice as many as the features; with fewer, R² says little.
    """
    width = features.feature_width(ensemble, state.variables, test)
    enough = len(test.labels) // 2 >= 2 * width
    measure = features.feature_scores if with_features and enough else None

    def one(run: tuple[Variables, Array], test: Dataset) -> Predictions:
        variables, seed = run
        key = jax.random.fold_in(jax.random.key(seed), ATTACK_STREAM)
        return evaluate(
            ensemble,
            variables,
            trial.make,
            trial.radii,
            test,
            key,
            combine=combine,
            measure=measure,
            keep=keep,
        )

    return jax.device_get(jax.jit(over_runs(one))((state.variables, state.seed), test))


def trial_rows(
    trial: Trial, predicted: Predictions, runs: Sequence[Keys], members: int
) -> list[Row]:
    """Rows of every run, radius and source of one trial."""
    sources = each_and_all(members)
    rows = list[Row]()
    for number, keys in enumerate(runs):
        run: Predictions = jax.tree.map(lambda leaf, i=number: leaf[i], predicted)
        for e, eps in enumerate(trial.radii):
            at = {**keys, "attack": trial.name, "ball": trial.ball, "eps": round(float(eps), 6)}
            chosen = run._replace(adversarial=run.adversarial[e])
            rows += to_rows.attack_rows(chosen, sources, at)
            for s, source in enumerate(sources):
                scores = {name: value[e, s] for name, value in run.extras.items()}
                half = len(run.labels) // 2
                rows += to_rows.feature_rows(scores, half, {**at, "source": source})
    return rows


def clean_rows(predicted: Predictions, runs: Sequence[Keys]) -> list[Row]:
    """Clean accuracy of every run."""
    rows = list[Row]()
    for number, keys in enumerate(runs):
        rows += to_rows.clean_rows(jax.tree.map(lambda leaf, i=number: leaf[i], predicted), keys)
    return rows


def natural_rows(
    ensemble: Ensemble, state: State, splits: Splits, runs: Sequence[Keys]
) -> tuple[list[Row], Arrays]:
    """Rows on natural images' features, and the first components that a scatter shows."""
    width = features.feature_width(ensemble, state.variables, splits.test)
    sample, split = features.sample_for_features(splits, width)
    measure = jax.jit(over_runs(features.natural(ensemble)))
    measured = jax.device_get(measure(state.variables, sample))
    count, rows = len(sample.labels), list[Row]()
    for number, run in enumerate(runs):
        keys = {**run, "split": split}
        scores = {k: v[number] for k, v in measured.items() if k.startswith("r_squared")}
        rows += to_rows.feature_rows(scores, count // 2, keys)
        component = float(measured["component_r_squared"][number])
        value = component if np.isfinite(component) else None
        rows.append({"metric": "component_r_squared", "value": value, "n": count, **keys})
        for target, live in enumerate(measured["live_columns"][number], start=1):
            at = {**keys, "target": str(target), "of": width}
            rows.append({"metric": "live_columns", "value": int(live), "n": count, **at})
    labels = np.asarray(sample.labels[: features.SCATTER_POINTS], np.uint8)
    return rows, {"components": measured["components"], "component_labels": labels}


def under(name: str, arrays: Arrays) -> Arrays:
    """The arrays with a first level added to their names."""
    return {f"{name}/{key}": value for key, value in arrays.items()}


def stored(trial: Trial, predicted: Predictions) -> Arrays:
    """Predictions as arrays to keep: probabilities in half precision, predicted classes exact."""
    clean, adversarial = np.asarray(predicted.clean), np.asarray(predicted.adversarial)
    return under(
        f"{trial.name}_{trial.ball}",
        {
            "labels": np.asarray(predicted.labels[0], np.uint8),
            "clean": clean.astype(np.float16),
            "clean_class": clean.argmax(-1).astype(np.uint8),
            "adversarial": adversarial.astype(np.float16),
            "adversarial_class": adversarial.argmax(-1).astype(np.uint8),
            "norms": np.asarray(predicted.norms),
        },
    )


def images(trial: Trial, predicted: Predictions, members: int) -> Arrays:
    """The kept adversarial images `[runs, A, K, H, W, C]` of every source, and the radii `[A]`."""
    kept = np.asarray(predicted.images)
    named: Arrays = {source: kept[:, :, s] for s, source in enumerate(each_and_all(members))}
    named["eps"] = trial.radii
    return under(f"{trial.name}_{trial.ball}", named)


def write_images(out: Path, kept: Arrays, test: Dataset, count: int) -> None:
    """`adversarial.npz`: the kept images, and the first `count` test images they came from."""
    natural = {
        "natural": np.asarray(to_float(test.images[:count])),
        "labels": np.asarray(test.labels[:count]),
    }
    results.write_arrays(out / "adversarial.npz", {**natural, **kept})
