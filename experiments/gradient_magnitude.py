"""Table 4 of Adam et al. (2019): is transfer one-sided because gradients differ in length?

    python -m experiments.gradient_magnitude --preset smoke     # digits, seconds
    python -m experiments.gradient_magnitude --preset quick     # MNIST, CPU minutes
    python -m experiments.gradient_magnitude --preset paper     # MNIST, the paper's settings

Single networks are trained so that the gradient of their true class's probability by the image has
a chosen length, every length and seed in one program. Then a network of the first length and one of
another, begun at the same weights, are a pair, and each is attacked with IGS. The paper finds that
what is made on the second fools the first ever less, quadratically in the second's length.

As in `gradient_alignment` radii are of images in [0, 1], the one to compare at is where the attack
succeeds as often as the paper's, and epochs are shuffled. The paper attacks 1,000 test images drawn
at random; here they are evenly spaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
import optax

from experiments.frame import figures, grid, parts, settings
from experiments.frame.grid import Cohort, Keys, Variant
from experiments.frame.job import Job
from experiments.frame.measure import runs
from experiments.frame.measure.gradients import gradient_rows
from experiments.frame.measure.natural import accuracy_rows
from experiments.frame.pairs import MODELS
from experiments.frame.parts import Measured
from experiments.frame.run import main
from experiments.frame.settings import Count, Radii
from experiments.frame.study import Study
from experiments.frame.tables import gradients, networks
from experiments.frame.trials import Trial, igs_trial
from jaxadv.data import Splits
from jaxadv.defences import gradient_magnitude
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.errors import UserError
from jaxadv.training import State
from jaxadv.types import Array


@dataclass(frozen=True)
class Training(settings.Training):
    """How single networks come to their lengths."""

    model: Literal["lenet", "cnn", "fc"] = "lenet"
    """Architecture; lenet wants images of 10 pixels a side or more."""
    first: float = 0.1
    """Length of the first network's gradients, per unit of the image range [0, 1]."""
    lengths: tuple[float, ...] = (0.5, 1.0, 3.0, 5.0, 7.0)
    """Lengths of the second network's; each is paired with the first."""
    updates: Literal["alternating", "simultaneous"] = "alternating"
    """A step for the classes and then one for the length, or one for the sum of both."""
    strength: float = 1.0
    """Weight of the lengths' mean squared error, against the cross-entropy in simultaneous
    updates."""
    epochs: Count = 500
    """Training epochs."""
    batch_size: settings.Batch = 100
    """Images a batch."""
    learning_rate: float = 1e-3
    """Of Adam."""


@dataclass(frozen=True)
class Attacks(settings.Attacks):
    """IGS on each network of a pair."""

    eps: Radii = (0.05, 0.1, 0.15, 0.2, 0.3)
    """Radii of IGS, linf, image range [0, 1]."""
    igs_steps: Count = 10
    """Steps of IGS, of eps / steps each."""
    igs_examples: int = 1000
    """IGS on so many test images, evenly spaced; 0, or more than there are, is all."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Networks with input gradients of chosen lengths: train, pair, attack, fit."""

    training: Training = Training()
    attacks: Attacks = Attacks()


PRESETS = {
    "paper": (PAPER := Settings(seeds=10, first_seed=100)),
    "quick": PAPER.but(seeds=5, epochs=10, train_examples=20000),
    "smoke": PAPER.but(
        dataset="digits",
        model="fc",
        seeds=2,
        lengths=(0.5, 1.0, 2.0, 4.0),
        epochs=4,
        eps=(0.1,),
        igs_examples=120,
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Single networks of every length, the first one's before all."""
    training = settings.training
    alone = stacked(MODELS[training.model](len(splits.class_names)), 1)
    lengths = (training.first, *training.lengths)
    variants = [Variant(f"{length:g}", {"gradient_norm": length}) for length in lengths]
    return [Cohort(training.model, training.model, alone, variants)]


def train(job: Job[Settings]) -> State:
    """The trained networks."""
    training = job.settings.training
    phases = gradient_magnitude(
        job.ensemble,
        optax.adam(training.learning_rate),
        updates=training.updates,
        strength=training.strength,
    )
    return job.trained(phases)


def paired(state: State, seeds: int) -> State:
    """Networks of each length, `[runs, 1, …]`, as pairs `[runs, 2, …]`: each with its seed's first.

    Of the state what is measured is kept: weights and, of the second, seed and length.
    """

    def pairs(leaf: Array) -> Array:
        first, *others = grid.by_variant(leaf, seeds)[:, :, 0]
        return np.concatenate([np.stack([first, other], axis=1) for other in others])

    variables = jax.tree.map(pairs, state.variables)
    lengths = {name: value[seeds:] for name, value in state.varied.items()}
    return State(variables, (), state.epoch[seeds:], state.seed[seeds:], lengths)


def natural(job: Job[Any], pair: Ensemble, state: State, runs: Sequence[Keys]) -> Measured:
    """Accuracy of the pairs and the gradients on natural images."""
    test = job.splits.test
    accuracy = accuracy_rows(pair, state, test, runs)
    return parts.of_rows([*accuracy, *gradient_rows(pair, state, test, "test", runs)])


def measured(job: Job[Settings], state: State) -> Measured:
    """The pairs; "length" is that of the second network's gradients."""
    training, seeds = job.settings.training, job.settings.seed_list
    pair = stacked(MODELS[training.model](len(job.splits.class_names)))
    variants = [
        Variant(f"{training.first:g} & {length:g}", keys={"length": length})
        for length in training.lengths
    ]
    keys = grid.keys_of(job.cohort._replace(variants=variants), seeds)
    of: dict[str, Any] = {"ensemble": pair, "runs": keys, "natural": natural}
    return runs.measured(job, paired(state, len(seeds)), **of)


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """IGS."""
    attacks = settings.attacks
    return [igs_trial(attacks.eps, attacks.igs_steps, attacks.igs_examples)]


def check_settings(settings: Settings) -> None:
    """Refuse a pair of twice the same length."""
    first = settings.training.first
    if first in settings.training.lengths:
        raise UserError(f"--lengths {first:g}: the first network's already; leave it out")


METRIC = "transfer_rate_clean_correct"
STUDY = Study(
    name="gradient_magnitude",
    paper="Adam et al. (2019), Table 4",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    measured=measured,
    check_settings=check_settings,
    tables=[
        networks.accuracies,
        gradients.gradients,
        gradients.asymmetry,
        gradients.length_fits,
    ],
    figures=[
        figures.lines(
            METRIC,
            "transfer.png",
            x="length",
            panels=("attack", "ball", "eps"),
            colour=("source", "target"),
            across_label="length asked of network 2's gradients",
        )
    ],
    keys=("length",),
    shown_eps=0.3,
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
