"""Attack the trained runs of a study and measure their features: one program a trial."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from experiments import features, kept
from experiments import rows as to_rows
from jaxadv import metrics, results
from jaxadv.attacks import Attack, CarliniWagner, Flags, igs
from jaxadv.attacks.flags import lines
from jaxadv.compilation import jit
from jaxadv.data import Dataset, Splits, evenly_spaced
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble
from jaxadv.errors import UserError
from jaxadv.evaluation import Predictions, each_and_all, evaluate
from jaxadv.leftovers import MEASURED
from jaxadv.parallel import collected, leads, over_runs
from jaxadv.results import Row
from jaxadv.training import State
from jaxadv.types import Array, Variables

Keys: TypeAlias = Mapping[str, Any]
Arrays: TypeAlias = dict[str, np.ndarray]
ATTACK_STREAM = 2  # folded into a run's seed: 0 is its initial weights, 1 its training


class Measured(NamedTuple):
    """Rows, arrays for predictions.npz, and adversarial images for adversarial.npz."""

    rows: list[Row]
    arrays: Arrays
    images: Arrays


class Trial(NamedTuple):
    """One attack over a sweep of radii, or of what it has instead.

    name and ball: as rows name them. make: `eps -> Attack`. radii: `[A]`, in the ball's norm.
    examples: attack so many test images, evenly spaced; 0 is all.
    parameter: what is swept, as rows name it. combine: where members are joined, if the attack asks
        for one way.
    """

    name: str
    ball: str
    make: Callable[[Array], Attack | CarliniWagner]
    radii: np.ndarray
    examples: int = 0
    parameter: str = "eps"
    combine: str = ""

    def at(self, number: int) -> dict[str, Any]:
        """The keys of the rows at one of the radii."""
        # The shortest decimal that gives this float32 back: 0.1, not 0.10000000149.
        swept = {self.parameter: float(str(self.radii[number]))}
        return {"attack": self.name, "ball": self.ball, **swept}


@lru_cache(maxsize=4)
def _natural_program(ensemble: Ensemble) -> Callable[..., Any]:
    """Scores on natural images, of every run; traced once by a study that measures on the way."""
    return jit(over_runs(features.natural(ensemble)))


def igs_trial(eps: Sequence[float], steps: int, examples: int = 0) -> Trial:
    """IGS over radii in the l∞ ball."""
    return Trial(
        "igs", "linf", lambda radius: igs(radius, steps), np.asarray(eps, np.float32), examples
    )


def check(trials: Iterable[Trial]) -> None:
    """Make every attack once.

    Raises:
        UserError: if one cannot be, sooner than after a training.
    """
    for trial in trials:
        for radius in trial.radii:
            trial.make(radius)


def accuracy(
    ensemble: Ensemble, state: State, test: Dataset, runs: Sequence[Keys]
) -> list[list[Row]]:
    """Each run's rows of clean accuracy."""
    program = jit(over_runs(features.probabilities(ensemble)))
    clean = jax.device_get(collected(program(state.variables, test.images)))
    return [
        list(to_rows.clean_rows(probabilities, test.labels, run))
        for probabilities, run in zip(clean, runs, strict=True)
    ]


def natural(ensemble: Ensemble, state: State, splits: Splits, runs: Sequence[Keys]) -> Measured:
    """Clean accuracy on the test images, scores of the features, the components a scatter shows."""
    width = features.feature_width(ensemble, splits.test)
    sample, split = features.sample_for_features(splits, width)
    clean = accuracy(ensemble, state, splits.test, runs)
    scores = _natural_program(ensemble)
    measured = jax.device_get(collected(scores(state.variables, sample)))
    count, rows = len(sample.labels), list[Row]()
    for number, run in enumerate(runs):
        rows += clean[number]
        keys = {**run, "split": split}
        named = {name: value[number] for name, value in measured.items() if ">" in name}
        rows += to_rows.feature_rows(named, count // 2, keys)
        component = to_rows.finite(measured["component_r_squared"][number])
        rows.append({"metric": "component_r_squared", "value": component, "n": count, **keys})
        for target in range(1, ensemble.size + 1):
            at = {"n": count, **keys, "target": str(target)}
            live, share = (
                to_rows.finite(measured[name][number, target - 1])
                for name in ("live_columns", "component_share")
            )
            whole = None if live is None else int(live)
            rows.append({"metric": "live_columns", "value": whole, **at, "of": width})
            rows.append({"metric": "component_share", "value": share, **at})
    labels = np.asarray(sample.labels[: features.SCATTER_POINTS], np.int16)
    return Measured(rows, {"components": measured["components"], "component_labels": labels}, {})


def attacked(
    trial: Trial,
    ensemble: Ensemble,
    state: State,
    test: Dataset,
    runs: Sequence[Keys],
    *,
    combine: str = "loss",
    with_features: bool = False,
    alarms: Sequence[float] = (to_rows.USUAL_ALARMS,),
    keep: int = 0,
    at_once: int = 0,
) -> Measured:
    """Rows and predictions of every run under one trial.

    with_features: also score the features of the adversarial images, where half of these are at
        least twice as many as the features; with fewer, R² says little.
    alarms: shares of natural images on which a detector may raise an alarm.
    keep: with them every run's first so many adversarial images.
    at_once: runs attacked side by side on a GPU or TPU; 0 is all.
    """
    test, indices = evenly_spaced(test, trial.examples)
    width = features.feature_width(ensemble, test)
    enough = len(test.labels) // 2 >= 2 * width
    measure = features.feature_scores if with_features and enough else None

    def one(run: tuple[Variables, Array], test: Dataset) -> Predictions:
        variables, seed = run
        key = jax.random.fold_in(jax.random.key(seed), ATTACK_STREAM)
        joined = trial.combine or combine
        settings: dict[str, Any] = {"combine": joined, "measure": measure, "keep": keep}
        settings["indices"] = indices
        return evaluate(ensemble, variables, trial.make, trial.radii, test, key, **settings)

    attack = jit(over_runs(one, at_once))
    predicted = jax.device_get(collected(attack((state.variables, state.seed), test)))
    name = f"{trial.name}_{trial.ball}"
    warn_of(predicted.flags, f"{runs[0]['model']}, {name}")
    rows = list(_attack_rows(trial, predicted, runs, ensemble.size, alarms))
    arrays = {**_stored(predicted), "index": indices}
    sources = list(each_and_all(ensemble.size))
    images = kept_images(trial, predicted, sources, test, indices) if keep else {}
    return Measured(rows, under(name, arrays), under(name, images))


def _attack_rows(
    trial: Trial,
    predicted: Predictions,
    runs: Sequence[Keys],
    members: int,
    alarms: Sequence[float],
) -> Iterable[Row]:
    """Rows of every run, radius and source of one trial."""
    sources = each_and_all(members)
    for number, keys in enumerate(runs):
        run: Predictions = jax.tree.map(lambda leaf, i=number: leaf[i], predicted)
        for e in range(len(trial.radii)):
            at = {**keys, **trial.at(e)}
            crafted = run.adversarial[e]
            yield from to_rows.attack_rows(crafted, run.clean, run.labels, sources, at, alarms)
            for s, source in enumerate(sources):
                scores = {name: value[e, s] for name, value in run.extras.items()}
                half = len(run.labels) // 2
                yield from to_rows.feature_rows(scores, half, {**at, "source": source})
                yield from flag_rows(run.flags, (e, s), {**at, "source": source})


def flag_rows(flags: Flags, place: tuple[int, int], keys: Keys) -> Iterable[Row]:
    """Rows of the flags `[A, S, N]` raised at one radius and source."""
    return to_rows.flag_rows(Flags(*(each[place] for each in flags)), keys)


def warn_of(flags: Flags, what: str) -> None:
    """A line on stderr for each kind of flag raised in a trial; the first process prints it."""
    for count, total, line in lines(flags) if leads() else ():
        print(f"{what}: {count} of {total} examples had {line}", file=sys.stderr)


def _stored(predicted: Predictions) -> Arrays:
    """Predictions as arrays to keep: probabilities in half precision, predicted classes exact.

    Classes are −1, `metrics.NO_CLASS`, where probabilities are not finite.
    """
    clean, adversarial = np.asarray(predicted.clean), np.asarray(predicted.adversarial)
    return {
        "labels": np.asarray(predicted.labels[0], np.int16),
        "clean": clean.astype(np.float16),
        "clean_class": metrics.predicted(clean).astype(np.int16),
        "adversarial": adversarial.astype(np.float16),
        "adversarial_class": metrics.predicted(adversarial).astype(np.int16),
        "norms": np.asarray(predicted.norms),
    }


def kept_images(
    trial: Trial, predicted: Predictions, sources: Sequence[str], test: Dataset, indices: Array
) -> Arrays:
    """The kept adversarial images `[runs, A, K, H, W, C]` of every source, and the radii `[A]`.

    With them the K natural images, their labels, and their indices in the test set.
    """
    kept = np.asarray(predicted.images)
    count = kept.shape[3]
    # Compiled, as the attacks have it: the division by 255 then rounds alike.
    natural = np.asarray(jax.jit(to_float)(test.images[:count]))
    labels, index = np.asarray(test.labels[:count]), np.asarray(indices[:count])
    named: Arrays = {source: kept[:, :, s] for s, source in enumerate(sources)}
    of: Arrays = {"natural": natural, "labels": labels, "index": index}
    return {**named, trial.parameter: trial.radii, **of}


def under(name: str, arrays: Arrays) -> Arrays:
    """The arrays with a first level added to their names."""
    return {f"{name}/{key}": value for key, value in arrays.items()}


def together(parts: Iterable[Measured]) -> Measured:
    """Several measurements as one."""
    whole = Measured([], {}, {})
    for part in parts:
        whole = Measured(
            whole.rows + part.rows, whole.arrays | part.arrays, whole.images | part.images
        )
    return whole


def once(out: Path, name: str, make: Callable[[], Measured]) -> Measured:
    """What `make` measures; a run that goes on takes what was measured before from its folder.

    Attacks can take as long as training: a kill then costs the running one, not those before it.
    What is damaged, was edited, or is of other settings, is measured again, as a line on stderr
    says.
    """
    folder, config = out / MEASURED, kept.settings(out)
    if kept.exists(folder, name):
        try:
            rows, arrays = kept.read(folder, name, config)
            return Measured(rows, _level("arrays", arrays), _level("images", arrays))
        except UserError as error:
            print(f"{error}; measured again", file=sys.stderr)
    begun = time.perf_counter()
    part = make()
    arrays = under("arrays", part.arrays) | under("images", part.images)
    kept.write(folder, name, part.rows, arrays, config)
    if leads():
        taken = time.perf_counter() - begun
        print(f"{name}: measured in {taken:.0f} s", file=sys.stderr, flush=True)
    return part


def _level(name: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The arrays under a first level, that level taken off: the inverse of `under`."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}


def write(out: Path, study: str, config: Keys, measured: Measured) -> None:
    """Write a study's results: rows, predictions, and adversarial images where any were kept."""
    results.write_arrays(out / "predictions.npz", measured.arrays)
    if measured.images:
        results.write_arrays(out / "adversarial.npz", measured.images)
    results.write(out, study, config, measured.rows)
    kept.clear(out / MEASURED)
