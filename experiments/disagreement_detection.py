"""Does the members' disagreement give attacks away, and in which pairs?

    python -m experiments.disagreement_detection --preset smoke    # digits, seconds
    python -m experiments.disagreement_detection --preset quick    # MNIST, CPU minutes
    python -m experiments.disagreement_detection --preset paper    # MNIST, every way in full

Pairs of one architecture are trained in every way to differ, from the same initial weights on the
same batches: the decorrelation of Wiedeman & Wang and its gentler form, the peers GAL and ADP,
input gradients at right angles and opposed, DVERGE. PGD then makes images that fool one network, or
both at once, and a detector raises an alarm where the two disagree (Adam et al. 2019, 3.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import optax

from experiments import cli, features, measure, report
from experiments.gradient_alignment import MODELS
from experiments.measure import Keys, Measured
from experiments.train import trained
from jaxadv import training
from jaxadv.attacks import Attack, pgd
from jaxadv.data import Splits
from jaxadv.defences import (
    GOALS,
    adp,
    decorrelation,
    dverge,
    gal,
    gradient_alignment,
    ramp,
    regularised,
)
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.losses import check_regression
from jaxadv.training import Phase, State
from jaxadv.types import Array

STUDY = "disagreement_detection"
SKETCH = 128  # random directions on which "robust" decorrelates
# Shares of natural images on which an alarm is allowed: points of the ROC curve.
ALARMS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)

WayName = Literal[
    "plain", "decorrelated", "robust", "gal", "adp", "perpendicular", "antiparallel", "dverge"
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


# Weights are those of the papers; of the gentler decorrelation, of `decorrelated_pairs`' "robust".
WAYS: dict[WayName, Way] = {
    "plain": Way(_alone(regularised), {}),
    "decorrelated": Way(_alone(decorrelation, joined="root_sum_square"), {"strength": 0.05}),
    "robust": Way(
        _alone(decorrelation, schedule=ramp(4, 2), sketch_width=SKETCH, direction="both"),
        {"strength": 0.2},
    ),
    "gal": Way(_alone(gal), {"strength": 0.5}),
    "adp": Way(_alone(adp), {"strength": 1.0}),
    "perpendicular": Way(gradient_alignment, GOALS["perpendicular"]),
    "antiparallel": Way(gradient_alignment, GOALS["antiparallel"]),
    "dverge": Way(dverge, {}, after="plain"),
}


@dataclass(frozen=True)
class Settings(cli.Common):
    """Pairs trained in every way to differ: attack one, attack both, see whether it shows."""

    model: Literal["cnn", "fc", "lenet"] = "cnn"
    """Architecture; lenet wants images of 10 pixels a side or more."""
    ways: tuple[WayName, ...] = tuple(WAYS)
    """How the pairs are trained to differ; dverge goes on from the plain ones."""
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
    """PGD on the first so many test images; 0 is all."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper")),
    "quick": replace(
        PAPER,
        preset="quick",
        seeds=3,
        train_examples=20000,
        epochs=10,
        dverge_epochs=3,
        pgd_examples=1000,
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


def train(settings: Settings, name: WayName, pair: Ensemble, splits: Splits, out: Path) -> State:
    """The pairs of every seed, trained in one way; where it begins at another's, that one first."""
    way = WAYS[name]
    phases = way.phases(pair, optax.adam(settings.learning_rate))
    values = {key: np.full(settings.seeds, value) for key, value in way.settings.items()}
    if way.after:
        state = training.onward(train(settings, way.after, pair, splits, out), phases)
    else:
        seeds = settings.seed_list
        state = training.init(pair.init, phases, splits.train, seeds, values)
    return trained(
        f"{settings.model}-{name}",
        pair,
        phases,
        state,
        splits.train,
        epochs=settings.dverge_epochs if way.after else settings.epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
        watch=False,
    )


def measured(
    settings: Settings, name: WayName, pair: Ensemble, splits: Splits, out: Path
) -> Measured:
    """Pairs trained in one way: natural images, then PGD on each network and on both."""
    state = train(settings, name, pair, splits, out)
    runs: list[Keys] = [
        {"model": settings.model, "defence": name, "seed": int(seed)} for seed in state.seed
    ]

    def with_pgd(eps: Array) -> Attack:
        return pgd(eps, settings.pgd_step_size, settings.pgd_steps)

    def natural() -> Measured:
        clean = measure.accuracy(pair, state, splits.test, runs)
        return Measured(list(chain.from_iterable(clean)), {}, {})

    def attacked() -> Measured:
        radii = np.asarray(settings.eps, np.float32)
        return measure.attacked(
            measure.Trial("pgd", "linf", with_pgd, radii, settings.pgd_examples),
            pair,
            state,
            splits.test,
            runs,
            alarms=ALARMS,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    parts = {f"{name}-natural": natural, f"{name}-pgd": attacked}
    found = measure.together(measure.once(out, what, make) for what, make in parts.items())
    return found._replace(
        arrays=measure.under(name, found.arrays), images=measure.under(name, found.images)
    )


def check_sizes(settings: Settings, pair: Ensemble, splits: Splits) -> None:
    """Refuse batches too small before the first pair is trained."""
    training.check_batch_size(settings.batch_size, splits.train)
    if settings.from_dir is None:
        widths = {"decorrelated": features.feature_width(pair, splits.train), "robust": SKETCH}
        for way in set(widths) & set(settings.ways):
            check_regression(settings.batch_size, widths[way])


def study(settings: Settings) -> None:
    """Train every way, attack, write and draw."""
    splits, out, config = cli.begin(STUDY, settings)
    pair = stacked(MODELS[settings.model](len(splits.class_names)))
    check_sizes(settings, pair, splits)
    whole = measure.together(measured(settings, way, pair, splits, out) for way in settings.ways)
    measure.write(out, STUDY, config, whole, splits.test, settings.save_adversarial)
    report.show(out)


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
