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
at random; here they are the first.
"""

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import optax

from experiments import cli, measure
from experiments.gradients import gradient_rows
from experiments.measure import Keys, Measured
from experiments.pairs import MODELS, each_model
from experiments.train import trained
from jaxadv import training
from jaxadv.data import Dataset, Splits
from jaxadv.defences import gradient_magnitude
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.errors import UserError
from jaxadv.models import Model
from jaxadv.training import State
from jaxadv.types import Array, Variables

STUDY = "gradient_magnitude"


@dataclass(frozen=True)
class Settings(cli.Common):
    """Networks with input gradients of chosen lengths: train, pair, attack, fit."""

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
    epochs: int = 500
    """Training epochs."""
    batch_size: int = 100
    """Images a batch."""
    learning_rate: float = 1e-3
    """Of Adam."""
    eps: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.3)
    """Radii of IGS, linf, image range [0, 1]."""
    igs_steps: int = 10
    """Steps of IGS, of eps / steps each."""
    igs_examples: int = 1000
    """IGS on so many test images, evenly spaced; 0, or more than there are, is all."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper", seeds=10, first_seed=100)),
    "quick": replace(PAPER, preset="quick", seeds=5, epochs=10, train_examples=20000),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
        model="fc",
        seeds=2,
        lengths=(0.5, 1.0, 2.0, 4.0),
        epochs=4,
        eps=(0.1,),
        igs_examples=120,
    ),
}


def train(settings: Settings, alone: Ensemble, data: Dataset, out: Path) -> State:
    """The trained networks: every length, the first one's before all, by every seed."""
    lengths = [settings.first, *settings.lengths]
    phases = gradient_magnitude(
        alone,
        optax.adam(settings.learning_rate),
        updates=settings.updates,
        strength=settings.strength,
    )
    wanted = {"gradient_norm": np.repeat(lengths, settings.seeds)}
    state = training.init(alone.init, phases, data, settings.seed_list * len(lengths), wanted)
    return trained(
        settings.model,
        alone,
        phases,
        state,
        data,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
    )


def paired(state: State, seeds: int) -> State:
    """Networks `[(1 + K)·seeds, 1, …]` as pairs `[K·seeds, 2, …]`: each with the first of its seed.

    Of the state what is measured is kept: weights and, of the second, seed and length.
    """

    def pairs(leaf: Array) -> Array:
        first, *others = leaf.reshape(-1, seeds, *leaf.shape[2:])
        return np.concatenate([np.stack([first, other], axis=1) for other in others])

    variables: Variables = jax.tree.map(pairs, state.variables)
    lengths = {name: value[seeds:] for name, value in state.settings.items()}
    return State(variables, (), state.epoch[seeds:], state.seed[seeds:], lengths)


def runs_of(settings: Settings, pairs: State) -> list[Keys]:
    """The keys of every pair's rows; "length" is that of the second network's gradients."""
    lengths = np.repeat(settings.lengths, settings.seeds).tolist()
    return [
        {
            "model": settings.model,
            "defence": f"{settings.first:g} & {length:g}",
            "seed": int(seed),
            "length": length,
        }
        for length, seed in zip(lengths, pairs.seed, strict=True)
    ]


def measured(
    settings: Settings, pair: Ensemble, pairs: State, splits: Splits, out: Path
) -> Measured:
    """Natural images and the gradients on them, then IGS."""
    runs = runs_of(settings, pairs)

    def natural() -> Measured:
        clean = measure.accuracy(pair, pairs, splits.test, runs)
        gradients = gradient_rows(pair, pairs, splits.test, "test", runs)
        return Measured([*chain.from_iterable(clean), *gradients], {}, {})

    def attacked() -> Measured:
        return measure.attacked(
            measure.igs_trial(settings.eps, settings.igs_steps, settings.igs_examples),
            pair,
            pairs,
            splits.test,
            runs,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    parts = [measure.once(out, "natural", natural), measure.once(out, "igs", attacked)]
    return measure.together(parts)


def study(settings: Settings) -> None:
    """Train, pair, attack, write and draw."""
    if settings.first in settings.lengths:
        raise UserError(f"--lengths {settings.first:g}: the first network's already; leave it out")

    def alone(model: Model) -> Ensemble:
        return stacked(model, 1)

    def one(name: str, networks: Ensemble, splits: Splits, out: Path) -> Measured:
        state = train(settings, networks, splits.train, out)
        pair = stacked(MODELS[name](len(splits.class_names)))
        return measured(settings, pair, paired(state, settings.seeds), splits, out)

    def check(networks: Ensemble, splits: Splits) -> None:
        training.check_batch_size(settings.batch_size, splits.train)

    each_model(STUDY, settings, [settings.model], alone, one, check)


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
