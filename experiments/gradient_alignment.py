"""Tables 1 to 3 and 5 to 7 of Adam et al. (2019): do networks at right angles share failures?

    python -m experiments.gradient_alignment --preset smoke     # digits, seconds
    python -m experiments.gradient_alignment --preset quick     # MNIST, half an hour of a CPU
    python -m experiments.gradient_alignment --preset paper     # MNIST, the paper's settings
    python -m experiments.gradient_alignment --preset updates   # FashionMNIST, Table 7

Pairs of networks are trained so that the gradients of their true class's probability by the image
are parallel, perpendicular or antiparallel, or as they come, every goal and seed in one program;
then one of the two is attacked. The lengths of the gradients are drawn together in all pairs.

The paper's IGS has eps 1.0 in a scale it does not state; here radii are of images in [0, 1], and
the one to compare at is where the attack succeeds as often on pairs without a goal: 0.97.
It does not shuffle between epochs; here every epoch has an order of its own. Its cosines are of
gradients of probabilities, which vanish where a network is sure: beside the cosines proper stand
those that PyTorch gave for such (`gradients.as_of_probabilities`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import optax

from experiments.frame import answers, figures, pairs, settings
from experiments.frame.grid import Cohort, Keys, Variant
from experiments.frame.job import Job
from experiments.frame.measure import natural as of_natural
from experiments.frame.measure import runs
from experiments.frame.measure.gradients import gradient_rows
from experiments.frame.parts import Measured
from experiments.frame.run import main
from experiments.frame.settings import Count, Positive, Radii
from experiments.frame.study import Study
from experiments.frame.tables import detection, gradients, networks, transfer
from experiments.frame.trials import Trial, igs_trial
from jaxadv import results
from jaxadv.attacks import cw
from jaxadv.data import Splits
from jaxadv.defences import GOALS, Updates, gradient_alignment
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.training import State

Goal = Literal["none", "parallel", "perpendicular", "antiparallel"]


@dataclass(frozen=True)
class Training(settings.Training):
    """How the gradients of a pair come to lie."""

    model: Literal["lenet", "cnn", "fc"] = "lenet"
    """Architecture; lenet wants images of 10 pixels a side or more."""
    goals: tuple[Goal, ...] = ("none", "parallel", "perpendicular", "antiparallel")
    """How the two networks' input gradients are to lie."""
    updates: tuple[Updates, ...] = ("alternating",)
    """A step for the classes and then one for the gradients, or one for the sum of both."""
    strength: float = 1.0
    """Weight of the cosine, which parallel and antiparallel pairs learn, beside the classes."""
    square_strength: float = 1.0
    """Weight of its square, which perpendicular pairs learn; few epochs want more."""
    matching: float = 1.0
    """Weight of the mean squared difference of the two gradients' lengths; 0 leaves them alone."""
    epochs: Count = 200
    """Training epochs."""
    batch_size: settings.Batch = 100
    """Images a batch."""
    learning_rate: float = 1e-3
    """Of Adam."""


@dataclass(frozen=True)
class Attacks(settings.Attacks):
    """IGS, and Carlini & Wagner's attack."""

    eps: Radii = (0.1, 0.15, 0.2, 0.25, 0.3)
    """Radii of IGS, linf, image range [0, 1]."""
    igs_steps: Count = 10
    """Steps of IGS, of eps / steps each."""
    confidence: Radii = (40.0,)
    """By how much Carlini & Wagner's attack must win, in units of the logits."""
    cw_step_size: Positive = 0.05
    """Of Adam in Carlini & Wagner's attack."""
    cw_first_constant: Positive = 1.0
    """Weight of winning that Carlini & Wagner's attack tries first."""
    cw_steps: Count = 500
    """Steps of Adam for each constant of Carlini & Wagner's attack."""
    cw_searches: Count = 6
    """Constants tried for each image."""
    cw_examples: int = 500
    """Carlini & Wagner's attack on so many test images, evenly spaced; 0, or more than there are,
    is all."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Pairs whose input gradients lie at chosen angles: train, measure, attack."""

    training: Training = Training()
    attacks: Attacks = Attacks()


PRESETS = {
    "paper": (PAPER := Settings(seeds=20, first_seed=150)),
    "quick": PAPER.but(
        train_examples=20000,
        seeds=5,
        epochs=12,
        square_strength=10.0,
        eps=(0.2, 0.25),
        cw_first_constant=10.0,
        cw_steps=200,
        cw_searches=3,
        cw_examples=100,
    ),
    "updates": PAPER.but(
        dataset="fashion_mnist",
        seeds=5,
        goals=("perpendicular", "antiparallel"),
        updates=("alternating", "simultaneous"),
    ),
    "smoke": PAPER.but(
        dataset="digits",
        model="fc",
        seeds=2,
        epochs=4,
        goals=("none", "perpendicular"),
        eps=(0.1,),
        confidence=(1.0,),
        cw_step_size=0.1,
        cw_steps=30,
        cw_searches=4,
        cw_examples=50,
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Pairs of every goal, for each kind of updates."""
    training = settings.training
    pair = stacked(pairs.MODELS[training.model](len(splits.class_names)))
    weights = {"cosine": training.strength, "squared_cosine": training.square_strength}

    def variant(goal: Goal, updates: Updates) -> Variant:
        name = "no goal" if goal == "none" else goal
        several = len(training.updates) > 1
        varied = {name: weight * GOALS[goal][name] for name, weight in weights.items()}
        return Variant(f"{name}, {updates}" if several else name, varied)

    return [
        Cohort(
            f"{training.model}-{updates}",
            training.model,
            pair,
            [variant(goal, updates) for goal in training.goals],
            updates,
        )
        for updates in training.updates
    ]


def train(job: Job[Settings]) -> State:
    """The trained pairs of every goal."""
    training = job.settings.training
    phases = gradient_alignment(
        job.ensemble,
        optax.adam(training.learning_rate),
        updates=job.cohort.own,
        matching=training.matching,
    )
    return job.trained(phases, watch=False)


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """IGS over the radii, and Carlini & Wagner's attack over the confidences."""
    attacks = settings.attacks
    with_cw = partial(
        cw,
        steps=attacks.cw_steps,
        searches=attacks.cw_searches,
        step_size=attacks.cw_step_size,
        first_constant=attacks.cw_first_constant,
    )
    confidences = np.asarray(attacks.confidence, np.float32)
    options: dict[str, Any] = {"parameter": "confidence", "combine": "margin"}
    return [
        igs_trial(attacks.eps, attacks.igs_steps),
        Trial("cw", "l2", with_cw, confidences, attacks.cw_examples, **options),
    ]


def natural(job: Job[Any], pair: Ensemble, state: State, runs: Sequence[Keys]) -> Measured:
    """Natural images, with the gradients on both splits, and accuracy in training."""
    found = of_natural.natural(job, pair, state, runs)
    rows = list(found.rows)
    for split, data in (("train", job.splits.train), ("test", job.splits.test)):
        rows += gradient_rows(pair, state, data, split, runs)
    seen = of_natural.accuracy_rows(pair, state, job.splits.train, runs)
    seen = results.select(seen, metric="clean_accuracy")
    return found._replace(rows=[*rows, *({**row, "metric": "train_accuracy"} for row in seen)])


STUDY = Study(
    name="gradient_alignment",
    paper="Adam et al. (2019), Tables 1 to 3 and 5 to 7",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    measured=partial(runs.measured, natural=natural),
    check=pairs.check_features,
    tables=[
        networks.networks,
        networks.accuracies,
        gradients.gradients,
        gradients.asymmetry,
        transfer.one_and_all,
        detection.detection,
    ],
    figures=[figures.transfer_bars, figures.success],
    shown_eps=0.25,
    answer=answers.transfer,
    minutes={"smoke": 1, "quick": 30},
)

if __name__ == "__main__":
    main(STUDY)
