"""Attack trained runs: one program a trial, for all of them."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

from experiments.frame import rows as to_rows
from experiments.frame.grid import Keys
from experiments.frame.job import Job
from experiments.frame.measure import features
from experiments.frame.parts import Arrays, Measured, under
from experiments.frame.trials import Trial
from jaxadv import metrics
from jaxadv.attacks import Flags
from jaxadv.attacks.flags import lines
from jaxadv.compilation import jit
from jaxadv.data import Dataset, evenly_spaced
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, EnsembleOutputs
from jaxadv.evaluation import Predictions, evaluate
from jaxadv.evaluation.sources import Sources
from jaxadv.parallel import collected, leads, over_runs
from jaxadv.results import Row
from jaxadv.streams import Stream, stream
from jaxadv.training import State
from jaxadv.types import Array, Variables

RowsOf: TypeAlias = Callable[[Predictions, int, Sources, Keys], Iterable[Row]]


def attacked(
    trial: Trial,
    job: Job[Any],
    ensemble: Ensemble,
    state: State,
    runs: Sequence[Keys],
    *,
    rows_of: RowsOf = to_rows.pair_rows,
    stored: Callable[[Predictions], Arrays] | None = None,
    examine: Callable[[EnsembleOutputs, Array], dict[str, Array]] | None = None,
    with_features: bool = False,
    keep: int | None = None,
) -> Measured:
    """Rows and predictions of every run under one trial.

    rows_of: a run's predictions, the number of a radius, the sources and the keys there, to rows.
    stored: the predictions of all runs to arrays; probabilities and classes unless given.
    examine: what else is measured of each example, as `evaluate` takes it.
    with_features: also score the features of the adversarial images, where half of these are at
        least twice as many as the features; with fewer, R² says little.
    keep: with them every run's first so many adversarial images, if not as the settings say.
    """
    test, indices = evenly_spaced(job.splits.test, trial.examples)
    keep = job.settings.attacks.save_adversarial if keep is None else keep
    enough = len(test.labels) // 2 >= 2 * features.feature_width(ensemble, test)
    sources = trial.sources(ensemble.size)
    options: dict[str, Any] = {
        "sources": sources,
        "combine": trial.combine,
        "measure": features.feature_scores if with_features and enough else None,
        "examine": examine,
        "keep": keep,
        "indices": indices,
    }

    def one(run: tuple[Variables, Array], test: Dataset) -> Predictions:
        variables, seed = run
        key = stream(seed, Stream.ATTACKS)
        return evaluate(ensemble, variables, trial.make, trial.radii, test, key, **options)

    attack = jit(over_runs(one, job.settings.place.runs_at_once))
    found = jax.device_get(collected(attack((state.variables, state.seed), test)))
    warn_of(found.flags, f"{runs[0]['model']}, {trial.title}")
    arrays = {**(stored or probabilities)(found), "index": indices}
    images = kept_images(trial, found, list(sources), test, indices) if keep else {}
    rows = list(_rows(trial, found, runs, sources, rows_of))
    return Measured(rows, under(trial.title, arrays), under(trial.title, images))


def _rows(
    trial: Trial, found: Predictions, runs: Sequence[Keys], sources: Sources, rows_of: RowsOf
) -> Iterable[Row]:
    """Rows of every run and radius, and of the flags raised there for each source."""
    for number, keys in enumerate(runs):
        run: Predictions = jax.tree.map(lambda leaf, i=number: leaf[i], found)
        for e in range(len(trial.radii)):
            at = {**keys, **trial.at(e)}
            yield from rows_of(run, e, sources, at)
            for s, source in enumerate(sources):
                flags = Flags(*(each[e, s] for each in run.flags))
                yield from to_rows.flag_rows(flags, {**at, "source": source})


def warn_of(flags: Flags, what: str) -> None:
    """A line on stderr for each kind of flag raised in a trial; the first process prints it."""
    for count, total, line in lines(flags) if leads() else ():
        print(f"{what}: {count} of {total} examples had {line}", file=sys.stderr)


def probabilities(found: Predictions) -> Arrays:
    """Predictions as arrays to keep: probabilities in half precision, predicted classes exact.

    Classes are −1, `metrics.NO_CLASS`, where probabilities are not finite.
    """
    clean, adversarial = np.asarray(found.clean), np.asarray(found.adversarial)
    return {
        "labels": np.asarray(found.labels[0], np.int16),
        "clean": clean.astype(np.float16),
        "clean_class": metrics.predicted(clean).astype(np.int16),
        "adversarial": adversarial.astype(np.float16),
        "adversarial_class": metrics.predicted(adversarial).astype(np.int16),
        "norms": np.asarray(found.norms),
    }


def kept_images(
    trial: Trial, found: Predictions, sources: Sequence[str], test: Dataset, indices: Array
) -> Arrays:
    """The kept adversarial images `[runs, A, K, H, W, C]` of every source, and the radii `[A]`.

    With them the K natural images, their labels, and their indices in the test set.
    """
    kept = np.asarray(found.images)
    count = kept.shape[3]
    # Compiled, as the attacks have it: the division by 255 then rounds alike.
    natural = np.asarray(jax.jit(to_float)(test.images[:count]))
    labels, index = np.asarray(test.labels[:count]), np.asarray(indices[:count])
    named: Arrays = {source: kept[:, :, s] for s, source in enumerate(sources)}
    of: Arrays = {"natural": natural, "labels": labels, "index": index}
    return {**named, trial.parameter: trial.radii, **of}
