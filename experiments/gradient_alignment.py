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

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optax

from experiments import cli, features, measure
from experiments.gradients import gradient_rows
from experiments.measure import Keys, Measured
from experiments.pairs import each_model
from experiments.train import trained
from jaxadv import results, training
from jaxadv.attacks import cw
from jaxadv.data import Dataset, Splits
from jaxadv.defences import GOALS, Updates, gradient_alignment
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.training import State

STUDY = "gradient_alignment"
Goal = Literal["none", "parallel", "perpendicular", "antiparallel"]


@dataclass(frozen=True)
class Settings(cli.Common):
    """Pairs whose input gradients lie at chosen angles: train, measure, attack."""

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
    epochs: int = 200
    """Training epochs."""
    batch_size: int = 100
    """Images a batch."""
    learning_rate: float = 1e-3
    """Of Adam."""
    eps: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.3)
    """Radii of IGS, linf, image range [0, 1]."""
    igs_steps: int = 10
    """Steps of IGS, of eps / steps each."""
    confidence: tuple[float, ...] = (40.0,)
    """By how much Carlini & Wagner's attack must win, in units of the logits."""
    cw_step_size: float = 0.05
    """Of Adam in Carlini & Wagner's attack."""
    cw_first_constant: float = 1.0
    """Weight of winning that Carlini & Wagner's attack tries first."""
    cw_steps: int = 500
    """Steps of Adam for each constant of Carlini & Wagner's attack."""
    cw_searches: int = 6
    """Constants tried for each image."""
    cw_examples: int = 500
    """Carlini & Wagner's attack on so many test images, evenly spaced; 0, or more than there are,
    is all."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper", seeds=20, first_seed=150)),
    "quick": replace(
        PAPER,
        preset="quick",
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
    "updates": replace(
        PAPER,
        preset="updates",
        data="fashion_mnist",
        seeds=5,
        goals=("perpendicular", "antiparallel"),
        updates=("alternating", "simultaneous"),
    ),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
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


def defence(goal: str, updates: str, several: bool) -> str:
    """The name in rows of pairs trained for a goal, with the updates where there are several."""
    name = "no goal" if goal == "none" else goal
    return f"{name}, {updates}" if several else name


def train_pairs(
    settings: Settings, updates: Updates, ensemble: Ensemble, data: Dataset, out: Path
) -> State:
    """The trained runs: every goal by every seed, in that order."""
    phases = gradient_alignment(
        ensemble,
        optax.adam(settings.learning_rate),
        updates=updates,
        matching=settings.matching,
    )
    strengths = {"cosine": settings.strength, "squared_cosine": settings.square_strength}
    weights = {
        name: np.repeat([weight * GOALS[goal][name] for goal in settings.goals], settings.seeds)
        for name, weight in strengths.items()
    }
    seeds = settings.seed_list * len(settings.goals)
    return trained(
        f"{settings.model}-{updates}",
        ensemble,
        phases,
        training.init(ensemble.init, phases, data, seeds, weights),
        data,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
        watch=False,
    )


def trials(settings: Settings) -> list[measure.Trial]:
    """IGS over the radii, and Carlini & Wagner's attack over the confidences."""
    with_cw = partial(
        cw,
        steps=settings.cw_steps,
        searches=settings.cw_searches,
        step_size=settings.cw_step_size,
        first_constant=settings.cw_first_constant,
    )
    confidences = np.asarray(settings.confidence, np.float32)
    options: dict[str, Any] = {"parameter": "confidence", "combine": "margin"}
    return [
        measure.igs_trial(settings.eps, settings.igs_steps),
        measure.Trial("cw", "l2", with_cw, confidences, settings.cw_examples, **options),
    ]


def measured(
    settings: Settings,
    updates: Updates,
    ensemble: Ensemble,
    state: State,
    splits: Splits,
    out: Path,
) -> Measured:
    """Natural images, the gradients on both splits, then every attack."""
    several = len(settings.updates) > 1
    goals = np.repeat(settings.goals, settings.seeds)
    runs: list[Keys] = [
        {"model": settings.model, "defence": defence(goal, updates, several), "seed": int(seed)}
        for goal, seed in zip(goals, state.seed, strict=True)
    ]

    def natural() -> Measured:
        found = measure.natural(ensemble, state, splits, runs)
        rows = list(found.rows)
        for split, data in (("train", splits.train), ("test", splits.test)):
            rows += gradient_rows(ensemble, state, data, split, runs)
        for run in measure.accuracy(ensemble, state, splits.train, runs):
            seen = results.select(run, metric="clean_accuracy")
            rows += [{**row, "metric": "train_accuracy"} for row in seen]
        return found._replace(rows=rows)

    def attacked(trial: measure.Trial) -> Measured:
        return measure.attacked(
            trial,
            ensemble,
            state,
            splits.test,
            runs,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    parts: dict[str, Callable[[], Measured]] = {"natural": natural}
    parts |= {trial.name: partial(attacked, trial) for trial in trials(settings)}
    found = [measure.once(out, f"{updates}-{name}", make) for name, make in parts.items()]
    rows, arrays, images = measure.together(found)
    return Measured(rows, measure.under(updates, arrays), measure.under(updates, images))


def check(settings: Settings, pair: Ensemble, splits: Splits) -> None:
    """Refuse impossible attacks, batches and data too small, before the first pair is trained."""
    measure.check(trials(settings))
    training.check_batch_size(settings.batch_size, splits.train)
    features.check_samples(pair, splits)


def study(settings: Settings) -> None:
    """Train, measure, attack, write and draw."""

    def one(name: str, pair: Ensemble, splits: Splits, out: Path) -> Measured:
        parts = []
        for updates in settings.updates:
            state = train_pairs(settings, updates, pair, splits.train, out)
            parts.append(measured(settings, updates, pair, state, splits, out))
        return measure.together(parts)

    each_model(STUDY, settings, [settings.model], stacked, one, partial(check, settings))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
