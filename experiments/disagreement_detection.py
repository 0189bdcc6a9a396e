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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import optax

from experiments import cli, decorrelated_pairs, features, measure
from experiments.gradients import gradient_rows
from experiments.measure import Keys, Measured
from experiments.pairs import each_model
from experiments.rows import USUAL_ALARMS
from experiments.train import trained
from jaxadv import training
from jaxadv.attacks import Attack, pgd
from jaxadv.data import Dataset, Splits
from jaxadv.defences import (
    GOALS,
    adp,
    decorrelation,
    dverge,
    gal,
    gradient_alignment,
    parametric_distance,
    ramp,
    regularised,
)
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.losses import check_regression
from jaxadv.training import Phase, State
from jaxadv.types import Array

STUDY = "disagreement_detection"
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
    """How a pair is trained: its phases, and the values of their settings.

    after: the way whose finished pairs it begins at, for `settings.dverge_epochs`.
    """

    phases: Phases
    settings: Mapping[str, float]
    after: WayName | None = None


def _alone(phase: Callable[..., Phase], **options: object) -> Phases:
    return lambda ensemble, optimizer: [phase(ensemble, optimizer, **options)]


ROBUST = decorrelated_pairs.PRESETS["robust"]
ROOT: dict[str, Any] = {"joined": "root_sum_square"}  # as in `decorrelated_pairs`
# Weights are those of the papers, of the gentler decorrelation that study's. The peers take the sum
# of the cross-entropies, as theirs do; "plain" is as the published code has it.
WAYS: dict[WayName, Way] = {
    "plain": Way(_alone(regularised, **ROOT), {}),
    "decorrelated": Way(_alone(decorrelation, **ROOT), {"strength": 0.05}),
    "robust": Way(
        _alone(
            decorrelation,
            schedule=ramp(ROBUST.ramp_epochs, ROBUST.delay_epochs),
            sketch_width=ROBUST.sketch_width,
            direction=ROBUST.direction,
            **ROOT,
        ),
        {"strength": ROBUST.strengths[0]},
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
class Settings(cli.Common):
    """Pairs trained in every way to differ: attack one, attack both, see whether it shows."""

    model: Literal["cnn", "fc", "lenet"] = "cnn"
    """Architecture; lenet wants images of 10 pixels a side or more."""
    ways: tuple[WayName, ...] = tuple(WAYS)
    """How the pairs are trained to differ; dverge goes on from finished ones."""
    epochs: int = 20
    """Training epochs."""
    dverge_epochs: int = 10
    """Epochs of DVERGE."""
    batch_size: int = 1000
    """Images a batch; for decorrelated pairs more than the feature layer's width + 1."""
    learning_rate: float = 5e-3
    """Of Adam."""
    eps: tuple[float, ...] = (0.05, 0.1, 0.15)
    """Radii of PGD, linf, image range [0, 1]."""
    pgd_steps: int = 40
    """Steps of PGD."""
    pgd_step_size: float = 3 / 255
    """Step of PGD, linf, image range [0, 1]."""
    pgd_examples: int = 2000
    """PGD on so many test images, evenly spaced; 0, or more than there are, is all."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper")),
    "quick": replace(
        PAPER,
        preset="quick",
        model="lenet",
        seeds=3,
        train_examples=20000,
        epochs=20,
        dverge_epochs=3,
        batch_size=200,
        learning_rate=1e-3,
        pgd_examples=500,
    ),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
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


def train(
    settings: Settings,
    name: WayName,
    pair: Ensemble,
    data: Dataset,
    out: Path,
    before: Mapping[WayName, State],
) -> State:
    """The pairs of every seed, trained in one way.

    before: pairs that are finished, among them those that this way begins at.
    """
    way = WAYS[name]
    phases = way.phases(pair, optax.adam(settings.learning_rate))
    if way.after is None:
        values = {key: np.full(settings.seeds, value) for key, value in way.settings.items()}
        state = training.init(pair.init, phases, data, settings.seed_list, values)
    else:
        state = training.onward(before[way.after], phases)
    return trained(
        f"{settings.model}-{name}",
        pair,
        phases,
        state,
        data,
        epochs=settings.epochs if way.after is None else settings.dverge_epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
        watch=False,
    )


def train_all(settings: Settings, pair: Ensemble, data: Dataset, out: Path) -> dict[WayName, State]:
    """The pairs of every way asked for, and of those that one of these begins at."""
    states: dict[WayName, State] = {}
    for name in trained_ways(settings):
        states[name] = train(settings, name, pair, data, out, states)
    return states


def trained_ways(settings: Settings) -> list[WayName]:
    """The ways asked for and those that one of these begins at, these first."""
    wanted = {way for name in settings.ways for way in (name, WAYS[name].after)}
    return [name for name in WAYS if name in wanted]


def measured(
    settings: Settings, name: WayName, pair: Ensemble, state: State, splits: Splits, out: Path
) -> Measured:
    """Pairs trained in one way: natural images, then PGD on each network and on both."""
    runs: list[Keys] = [
        {"model": settings.model, "defence": name, "seed": int(seed)} for seed in state.seed
    ]

    def with_pgd(eps: Array) -> Attack:
        return pgd(eps, settings.pgd_step_size, settings.pgd_steps)

    def natural() -> Measured:
        found = measure.natural(pair, state, splits, runs)
        gradients = gradient_rows(pair, state, splits.test, "test", runs)
        return found._replace(rows=[*found.rows, *gradients])

    def attacked() -> Measured:
        radii = np.asarray(settings.eps, np.float32)
        return measure.attacked(
            measure.Trial("pgd", "linf", with_pgd, radii, settings.pgd_examples),
            pair,
            state,
            splits.test,
            runs,
            alarms=ROC_ALARMS,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    parts = {f"{name}-natural": natural, f"{name}-pgd": attacked}
    found = measure.together(measure.once(out, what, make) for what, make in parts.items())
    return found._replace(
        arrays=measure.under(name, found.arrays), images=measure.under(name, found.images)
    )


def check_sizes(settings: Settings, pair: Ensemble, splits: Splits) -> None:
    """Refuse batches and data too small before the first pair is trained."""
    training.check_batch_size(settings.batch_size, splits.train)
    features.check_samples(pair, splits)
    if settings.from_dir is None:
        width = features.feature_width(pair, splits.train)
        widths = {"decorrelated": width, "robust": ROBUST.sketch_width}
        for way in trained_ways(settings):
            if way in widths:
                check_regression(settings.batch_size, widths[way])


def study(settings: Settings) -> None:
    """Train every way, attack, write and draw."""

    def one(name: str, pair: Ensemble, splits: Splits, out: Path) -> Measured:
        states = train_all(settings, pair, splits.train, out)
        ways = [measured(settings, way, pair, states[way], splits, out) for way in settings.ways]
        return measure.together(ways)

    each_model(STUDY, settings, [settings.model], stacked, one, partial(check_sizes, settings))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
