"""Figs 2 and 3 of Wiedeman & Wang (Patterns 2022): do decorrelated networks share their failures?

    python -m experiments.decorrelated_pairs --preset smoke     # digits, about a minute
    python -m experiments.decorrelated_pairs --preset quick     # MNIST, CPU minutes
    python -m experiments.decorrelated_pairs --preset paper     # the paper's settings
    python -m experiments.decorrelated_pairs --preset robust    # a gentler start, to avoid collapse
    python -m experiments.decorrelated_pairs --preset paper --published --seeds 1   # the authors'

Pairs of networks are trained with λ = 0 and λ = 0.05 from the same initial weights on the same
batches, every seed of both in one program, then attacked one at a time and together.

The published loss drives one network's features to zero in many runs. `robust` lets the classes be
learned before λ rises, asks for decorrelation in both directions, and measures it on random
sketches of the features, on which dropping features gains nothing. It trains no plain pairs of its
own: those of `paper` have the same seeds, initial weights and batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import optax

from experiments.frame import answers, figures, pairs, published, settings
from experiments.frame.grid import Cohort, Variant
from experiments.frame.job import Job
from experiments.frame.pairs import MODELS, ROBUST, check_decorrelation, check_features
from experiments.frame.run import main
from experiments.frame.study import Study
from experiments.frame.tables import detection, networks, transfer
from experiments.frame.trials import Trial
from jaxadv.data import Splits
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked
from jaxadv.training import State


@dataclass(frozen=True)
class Training(pairs.Decorrelation):
    """How the pairs come to be."""

    joined: Literal["sum", "root_sum_square"] = "root_sum_square"
    """How the two cross-entropies join: sum (the paper's text) or root_sum_square (its code)."""
    published: bool = False
    """Take the authors' published pairs, one of each kind; the seeds decide what is drawn later."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Decorrelated against plain pairs: train, attack, measure what transfers."""

    models: tuple[Literal["cnn", "fc"], ...] = ("cnn", "fc")
    """Architectures."""
    place: published.Place = published.Place()
    training: Training = Training()
    attacks: pairs.Attacks = pairs.Attacks()


PRESETS = {
    "paper": (PAPER := Settings()),
    "robust": PAPER.but(seeds=8, **ROBUST),
    "quick": PAPER.but(models=("fc",), seeds=2, epochs=5, pgd_examples=500),
    "smoke": PAPER.but(
        dataset="digits",
        models=("fc",),
        seeds=8,
        epochs=25,
        batch_size=359,
        pgd_steps=20,
        pgd_examples=120,
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Pairs of each architecture, with each λ."""
    strengths, classes = settings.training.strengths, len(splits.class_names)
    variants = [Variant(pairs.variant_of(s, strengths), {"strength": s}) for s in strengths]
    return [Cohort(m, m, stacked(MODELS[m](classes)), variants) for m in settings.models]


def train(job: Job[Settings]) -> State:
    """The trained pairs of one architecture, or the authors'."""
    training = job.settings.training
    if training.published:
        folder = published.folder_of(job.settings.place.published_dir)
        return published.pairs(folder, job, training.strengths)
    phase = decorrelation(
        job.ensemble,
        optax.adam(training.learning_rate),
        joined=training.joined,
        **training.options(),
    )
    return job.trained([phase])


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """FGSM and PGD in both balls."""
    return pairs.attacks_of(settings.attacks, splits)


def check_settings(settings: Settings) -> None:
    """Refuse other pairs than are published."""
    if published.wanted(settings):
        published.check_pairs(settings, PRESETS[settings.preset], ("cnn", "fc"))


def check(settings: Settings, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse batches and data too small for regressions."""
    check_features(settings, cohorts, splits)
    if settings.place.from_dir is None and not settings.training.published:
        check_decorrelation(settings.training, cohorts, splits)


STUDY = Study(
    name="decorrelated_pairs",
    paper="Wiedeman & Wang (Patterns 2022), Figs 2 and 3",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    check_settings=check_settings,
    check=check,
    tables=[
        networks.networks,
        transfer.transfer,
        transfer.one_and_all,
        detection.detection,
        transfer.adversarial_features,
    ],
    figures=[figures.transfer_bars, figures.success, figures.feature_scatters],
    shown_arrays=("component",),
    answer=answers.transfer,
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
