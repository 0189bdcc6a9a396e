"""Does the members' disagreement give attacks away, and in which pairs?

    python -m experiments.disagreement_detection --preset smoke    # digits, seconds
    python -m experiments.disagreement_detection --preset quick    # MNIST, CPU minutes
    python -m experiments.disagreement_detection --preset paper    # MNIST, every way in full

Pairs of one architecture are trained in every way to differ, from the same initial weights on the
same batches: the decorrelation of Wiedeman & Wang and its gentler form, a distance between the
weights, the peers GAL and ADP, input gradients at right angles and opposed; from plain and from
decorrelated pairs DVERGE goes on. PGD then makes images that fool one network, or both at once,
and a detector raises an alarm where the two disagree (Adam et al. 2019, 3.2).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import optax

from experiments.frame import answers, figures, pairs, settings
from experiments.frame.grid import Cohort, Keys, Variant
from experiments.frame.job import Job
from experiments.frame.measure import features, runs
from experiments.frame.measure import natural as of_natural
from experiments.frame.measure.gradients import gradient_rows
from experiments.frame.pairs import ROBUST
from experiments.frame.parts import Measured
from experiments.frame.rows import USUAL_ALARMS, pair_rows
from experiments.frame.run import main
from experiments.frame.settings import Count
from experiments.frame.study import Study
from experiments.frame.tables import detection, gradients, networks, transfer
from experiments.frame.trials import Trial, pgd_trial
from jaxadv import training
from jaxadv.data import Splits
from jaxadv.defences import (
    GOALS,
    adp,
    decorrelation,
    dverge,
    gal,
    gradient_alignment,
    parametric_distance,
    regularised,
)
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.losses import check_regression
from jaxadv.training import Phase, State

# Shares of natural images on which an alarm is allowed: points of the ROC curve.
ROC_ALARMS = (0.0, 0.01, 0.02, USUAL_ALARMS, 0.1, 0.2, 0.3, 0.5)

WayName = Literal[
    "plain",
    "decorrelated",
    "robust",
    "distant",
    "gal",
    "adp",
    "perpendicular",
    "antiparallel",
    "dverge",
    "dverge-decorrelated",
]
Phases: TypeAlias = Callable[[Ensemble, optax.GradientTransformation], list[Phase]]


class Way(NamedTuple):
    """How a pair is trained: its phases, and the scalars that they take.

    after: the way whose finished pairs it begins at, for `dverge_epochs`.
    """

    phases: Phases
    varied: Mapping[str, float]
    after: WayName | None = None


def _alone(phase: Callable[..., Phase], **options: object) -> Phases:
    return lambda ensemble, optimizer: [phase(ensemble, optimizer, **options)]


GENTLE = pairs.Decorrelation(**ROBUST)
ROOT: dict[str, Any] = {"joined": "root_sum_square"}  # as in `decorrelated_pairs`
# Weights are those of the papers, of the gentler decorrelation that study's. The peers take the sum
# of the cross-entropies, as theirs do; "plain" is as the published code has it.
WAYS: dict[WayName, Way] = {
    "plain": Way(_alone(regularised, **ROOT), {}),
    "decorrelated": Way(_alone(decorrelation, **ROOT), {"strength": 0.05}),
    "robust": Way(
        _alone(decorrelation, **GENTLE.options(), **ROOT), {"strength": GENTLE.strengths[0]}
    ),
    "distant": Way(_alone(parametric_distance), {"distance": 2000.0}),
    "gal": Way(_alone(gal), {"strength": 1.0}),  # the paper's 0.5, of the mean of two losses
    "adp": Way(_alone(adp), {"strength": 1.0}),
    "perpendicular": Way(gradient_alignment, GOALS["perpendicular"]),
    "antiparallel": Way(gradient_alignment, GOALS["antiparallel"]),
    "dverge": Way(dverge, {}, after="plain"),
    "dverge-decorrelated": Way(dverge, {}, after="decorrelated"),
}


@dataclass(frozen=True)
class Training(settings.Training):
    """What all ways share."""

    model: Literal["cnn", "fc", "lenet"] = "cnn"
    """Architecture; lenet wants images of 10 pixels a side or more."""
    dverge_epochs: Count = 10
    """Epochs of DVERGE."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Pairs trained in every way to differ: attack one, attack both, see whether it shows."""

    ways: tuple[WayName, ...] = tuple(WAYS)
    """How the pairs are trained to differ; dverge goes on from finished ones."""
    training: Training = Training()
    attacks: settings.Pgd = settings.Pgd()


PRESETS = {
    "paper": (PAPER := Settings()),
    "quick": PAPER.but(
        model="lenet",
        seeds=3,
        train_examples=20000,
        epochs=20,
        dverge_epochs=3,
        batch_size=200,
        learning_rate=1e-3,
        pgd_examples=500,
    ),
    "smoke": PAPER.but(
        dataset="digits",
        model="fc",
        ways=("plain", "decorrelated"),
        seeds=2,
        epochs=8,
        batch_size=359,
        eps=(0.1,),
        pgd_steps=10,
        pgd_examples=120,
    ),
}


def cohort(settings: Settings, pair: Ensemble, way: WayName) -> Cohort:
    """Pairs trained in one way."""
    model, variant = settings.training.model, Variant(way, WAYS[way].varied)
    return Cohort(f"{model}-{way}", model, pair, [variant], WAYS[way])


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Pairs of every way asked for."""
    pair = stacked(pairs.MODELS[settings.training.model](len(splits.class_names)))
    return [cohort(settings, pair, way) for way in settings.ways]


def train(job: Job[Settings]) -> State:
    """The pairs of one way; those that it begins at are trained, or taken up, before."""
    asked, way = job.settings.training, job.cohort.own
    phases = way.phases(job.ensemble, optax.adam(asked.learning_rate))
    if way.after is None:
        return job.trained(phases, watch=False)
    before = train(job.of(cohort(job.settings, job.ensemble, way.after)))
    onward, epochs = training.onward(before, phases), asked.dverge_epochs
    return job.trained(phases, onward, epochs=epochs, watch=False)


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """PGD."""
    return [pgd_trial(settings.attacks)]


def natural(job: Job[Any], pair: Ensemble, state: State, runs: Sequence[Keys]) -> Measured:
    """Natural images, and the gradients on them."""
    found = of_natural.natural(job, pair, state, runs)
    gradients = gradient_rows(pair, state, job.splits.test, "test", runs)
    return found._replace(rows=[*found.rows, *gradients])


def check(settings: Settings, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse data too few and batches too small for regressions."""
    pairs.check_features(settings, cohorts, splits)
    if settings.place.from_dir is not None:
        return
    width = features.feature_width(cohorts[0].ensemble, splits.train)
    widths: dict[str | None, int] = {"decorrelated": width, "robust": GENTLE.sketch_width}
    for name in settings.ways:
        for way in (name, WAYS[name].after):
            if way in widths:
                check_regression(settings.training.batch_size, widths[way])


STUDY = Study(
    name="disagreement_detection",
    paper="ten ways to train pairs, beyond the papers",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    measured=partial(runs.measured, natural=natural, rows_of=partial(pair_rows, alarms=ROC_ALARMS)),
    check=check,
    tables=[
        networks.networks,
        gradients.gradients,
        detection.detection,
        transfer.transfer,
        transfer.one_and_all,
    ],
    figures=[
        figures.lines(
            "detection_rate",
            "roc.png",
            x="alarms",
            panels=("attack", "ball", "eps"),
            label="attacks found",
            across_label="false alarms",
        ),
        figures.transfer_dots,
        figures.success,
    ],
    answer=answers.transfer,
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
