"""What an autoencoder's pathways are read as: on natural images, under attack, in pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.frame import parts
from experiments.frame import rows as to_rows
from experiments.frame.grid import Keys
from experiments.frame.job import Job
from experiments.frame.measure import features
from experiments.frame.measure.predictions import attacked
from experiments.frame.parts import Arrays, Measured
from experiments.frame.trials import Trial
from jaxadv import metrics
from jaxadv.compilation import jit
from jaxadv.data import Dataset, evenly_spaced
from jaxadv.data.batches import to_float
from jaxadv.ensemble import EnsembleOutputs
from jaxadv.evaluation import ALL, Predictions, craft, in_chunks
from jaxadv.evaluation.sources import Sources
from jaxadv.losses import squared_errors
from jaxadv.parallel import collected, over_runs
from jaxadv.precision import in_float32
from jaxadv.results import Row
from jaxadv.streams import Stream, stream
from jaxadv.training import State
from jaxadv.types import Array, Variables

SINGLE = "single"  # one pathway at a time
ON_FGSM = " + FGSM"  # ends the names of variants that were trained on FGSM images at last


def sources_of(combine: str, members: int) -> Sources:
    """Each pathway by itself, or all of them."""
    if combine == SINGLE or members == 1:
        return {str(index + 1): (index,) for index in range(members)}
    return {ALL: tuple(range(members))}


def each_combined(trial: Trial, combine: Sequence[str]) -> list[Trial]:
    """An attack for each way of joining the pathways; rows say which."""
    return [
        trial._replace(
            combine="loss" if name == SINGLE else name,
            sources=partial(sources_of, name),
            keys=(("combine", name),),
        )
        for name in combine
    ]


def _errors(outputs: EnsembleOutputs, images: Array) -> dict[str, Array]:
    return {"error": squared_errors(outputs, images)}


def natural(job: Job[Any], state: State) -> Measured:
    """Rates of the pathways on the test images, errors of reconstruction, R² of the features."""
    ensemble, test = job.ensemble, job.splits.test

    @in_float32
    def one(variables: Variables, images: Array, sample: Array) -> dict[str, Array]:
        def outputs(x: Array) -> tuple[Array, Array]:
            x = to_float(x)
            made = ensemble.apply(variables, x, train=False, key=None)[0]
            return jnp.moveaxis(made.logits, 0, 1), squared_errors(made, x).T

        logits, errors = in_chunks(outputs, 1000, images)
        members = features.all_features(ensemble, variables, sample)
        scores = features.feature_scores(members) if ensemble.size > 1 else {}
        return {"logits": jnp.moveaxis(logits, 1, 0), "error": errors.T, **scores}

    width = features.feature_width(ensemble, test)
    sample, split = features.sample_for_features(job.splits, width)
    program = jit(over_runs(one))
    found = jax.device_get(collected(program(state.variables, test.images, sample.images)))
    rows = list[Row]()
    for number, run in enumerate(job.runs()):
        mine = {name: value[number] for name, value in found.items()}
        logits, errors = mine.pop("logits"), mine.pop("error")
        rows += pathway_rows(logits, errors, np.asarray(test.labels), run)
        rows += to_rows.feature_rows(mine, len(sample.labels) // 2, {**run, "split": split})
    return parts.of_rows(rows)


def pathway_rows(scores: Array, errors: Array, labels: Array, keys: Keys) -> Iterator[Row]:
    """Rows of one run's pathways: class scores `[M, N, C]` and squared errors `[M, N]`."""
    wrong = metrics.wrong(scores, labels)
    for name, rate in metrics.pathway_rates(wrong, errors).items():
        yield to_rows.row(name, rate, **keys)
    error = metrics.Rate(to_rows.finite(np.mean(errors)), errors.shape[1])
    yield to_rows.row("squared_error", error, **keys)
    yield from to_rows.nonfinite_rows(scores, keys)


def rows_of(run: Predictions, number: int, sources: Sources, keys: Keys) -> Iterator[Row]:
    """Rows of one run's pathways under attack at one radius."""
    for s, (source, members) in enumerate(sources.items()):
        at = {**keys, "source": source}
        scores = np.asarray(run.adversarial[number, s])
        errors = np.asarray(run.extras["error"][number, s])
        yield from pathway_rows(scores, errors, run.labels, at)
        yield from _transfer_rows(scores, run.labels, members, at)


def _transfer_rows(
    scores: Array, labels: Array, attacked_members: Sequence[int], keys: Keys
) -> Iterator[Row]:
    """From the one pathway attacked to each other one."""
    if len(attacked_members) > 1:
        return
    wrong = metrics.wrong(scores, labels)
    for target in range(len(wrong)):
        if target not in attacked_members:
            rate = metrics.transfer_rate(wrong[attacked_members[0]], wrong[target])
            yield to_rows.row("transfer_rate", rate, **keys, target=str(target + 1))


def classes_and_errors(found: Predictions) -> Arrays:
    """Predictions as arrays to keep: the class each pathway is read as, and its error."""
    return {
        "labels": np.asarray(found.labels[0], np.int16),
        "adversarial_class": metrics.predicted(found.adversarial).astype(np.int16),
        "error": np.asarray(found.extras["error"], np.float32),
    }


def measured(job: Job[Any], state: State) -> Measured:
    """Natural images, then every attack, with the pathways joined in every way."""
    of = job, job.ensemble, state, job.runs()
    kinds: dict[str, Any] = {
        "rows_of": rows_of,
        "stored": classes_and_errors,
        "examine": _errors,
    }
    found, first = [job.part("natural", partial(natural, job, state))], dict[str, Measured]()
    for trial in job.trials:
        if job.ensemble.size == 1 and trial.name in first:  # one pathway is joined with none
            found.append(_also(first[trial.name], trial))
            continue
        made = job.part(trial.title, partial(attacked, trial, *of, **kinds))
        first.setdefault(trial.name, made)
        found.append(made)
    return parts.together(found).under(job.cohort.name)


def _also(found: Measured, trial: Trial) -> Measured:
    return parts.of_rows({**row, **dict(trial.keys)} for row in found.rows)


PICTURED = 500  # test images among which examples for the picture are looked for
PICTURES = 5


def pictures(job: Job[Any], state: State) -> Measured:
    """Where the last attack at its largest radius fools one pathway and not another.

    Of the first run: `[4, K, H, W, C]`, K the first examples of which some reconstruction is read
    rightly and some not: natural, perturbed, and one reconstruction of either kind.
    """
    ensemble, last = job.ensemble, [t for t in job.trials if t.name == job.trials[-1].name]
    joint = [trial for trial in last if (("combine", SINGLE)) not in trial.keys]
    trial = (joint or last)[0]
    test, indices = evenly_spaced(job.splits.test, PICTURED)
    attack = trial.make(jnp.asarray(trial.radii[-1]))
    key = stream(jnp.asarray(state.seed)[0], Stream.ATTACKS)
    options: dict[str, Any] = {"combine": trial.combine, "indices": indices}
    members = tuple(range(ensemble.size))

    @in_float32
    def perturb(runs: Variables, test: Dataset) -> tuple[Array, EnsembleOutputs]:
        variables = jax.tree.map(lambda leaf: leaf[0], runs)
        images = craft(ensemble, variables, members, attack, test, key, **options)
        return images, ensemble.apply(variables, images, train=False, key=None)[0]

    images, outputs = jax.device_get(jit(perturb)(state.variables, test))
    wrong = metrics.wrong(outputs.logits, test.labels)
    right, known = wrong == 0, ~np.isnan(wrong).any(0)
    chosen = np.flatnonzero(right.any(0) & ~right.all(0) & known)[:PICTURES]
    made = np.asarray(outputs.reconstructions)
    shown = [
        np.asarray(to_float(jnp.asarray(test.images)[chosen])),
        images[chosen],
        made[right[:, chosen].argmin(0), chosen],
        made[right[:, chosen].argmax(0), chosen],
    ]
    return Measured([], {"pictures": np.stack(shown).astype(np.float32)}, {})
