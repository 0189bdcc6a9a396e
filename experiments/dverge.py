"""Fig 4 of Wiedeman & Wang (Patterns 2022): does decorrelation help DVERGE along?

    python -m experiments.dverge --preset smoke     # digits, seconds
    python -m experiments.dverge --preset quick     # MNIST, a CPU's quarter hour
    python -m experiments.dverge --preset paper     # MNIST, the paper's settings
    python -m experiments.dverge --preset paper --from runs/decorrelated_pairs-paper
    python -m experiments.dverge --preset paper --published --published-dir DNA

Pairs trained with λ = 0 and λ = 0.05 go on for ten epochs in which each network learns images
that the other takes for others; PGD is measured on them before and after every epoch. They are the
pairs of `decorrelated_pairs`, trained here, taken from a run of it, or the authors' own
(docs/published_weights.md says where these are).

The networks take turns by epochs and are compared at one layer as in the paper; DVERGE itself is
`--dverge-turns batches --dverge-layers 1 2 3`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import optax

from experiments import cli, decorrelated_pairs, features, kept, measure
from experiments.decorrelated_pairs import (
    check_published,
    check_sizes,
    defence,
    train_pairs,
    trials,
)
from experiments.measure import Keys, Measured
from experiments.pairs import MODELS, each_model
from experiments.train import rewind, trained
from jaxadv import defences, training
from jaxadv.data import Splits
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.leftovers import MEASURED
from jaxadv.training import State

STUDY = "dverge"


@dataclass(frozen=True)
class Settings(decorrelated_pairs.Settings):
    """DVERGE from plain and from decorrelated pairs: train, attack after every epoch."""

    dverge_epochs: int = 10
    """Epochs of DVERGE."""
    dverge_eps: float = 0.15
    """How far an image may be moved to resemble another, linf, image range [0, 1]."""
    dverge_steps: int = 20
    """Signed steps of that."""
    dverge_step_size: float = 3 / 255
    """Their size, image range [0, 1]."""
    dverge_turns: Literal["epochs", "batches"] = "epochs"
    """Whether one network sees all batches of an epoch before the other, or they take turns."""
    dverge_layers: tuple[int, ...] = (0,)
    """Blocks whose features are to agree, one drawn for each epoch; 0: the decorrelated one."""


PRESETS = {
    "paper": (
        PAPER := Settings(
            preset="paper",
            models=("cnn",),
            attacks=("pgd",),
            balls=("linf",),
            eps=(0.05, 0.1, 0.15),
        )
    ),
    "quick": replace(
        PAPER,
        preset="quick",
        seeds=2,
        epochs=8,
        train_examples=10000,
        dverge_epochs=5,
        pgd_examples=500,
    ),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
        models=("fc",),
        seeds=2,
        epochs=4,
        batch_size=359,
        dverge_epochs=1,
        dverge_steps=5,
        dverge_step_size=0.05,
        eps=(0.1,),
        pgd_steps=10,
        pgd_examples=120,
    ),
}


# What DVERGE is set by, which comes after the training of pairs.
DECIDED_BY = (
    *("dverge_epochs", "dverge_eps", "dverge_steps", "dverge_step_size", "dverge_turns"),
    *("dverge_layers", "published"),
)


def measured_at(
    settings: Settings, name: str, ensemble: Ensemble, state: State, splits: Splits, epoch: int
) -> Measured:
    """One architecture after some epochs of DVERGE: natural images, and every attack.

    Predictions and images are those after the last epoch: of every epoch they would fill a disk.
    """
    strengths = np.asarray(state.settings["strength"]).tolist()
    runs: list[Keys] = [
        {"model": name, "defence": defence(strength, strengths), "seed": int(seed), "epoch": epoch}
        for strength, seed in zip(strengths, state.seed, strict=True)
    ]
    last = epoch == settings.dverge_epochs

    def attacked(trial: measure.Trial) -> Measured:
        return measure.attacked(
            trial,
            ensemble,
            state,
            splits.test,
            runs,
            combine=settings.combine,
            keep=settings.save_adversarial if last else 0,
            at_once=settings.runs_at_once,
        )

    natural = measure.natural(ensemble, state, splits, runs)
    under_attack = map(attacked, trials(settings, splits.test.images[0].size))
    rows, arrays, images = measure.together([natural, *under_attack])
    if not last:
        return Measured(rows, {}, {})
    return Measured(rows, measure.under(name, arrays), measure.under(name, images))


def layers(settings: Settings, name: str, splits: Splits) -> list[Ensemble]:
    """Pairs as seen at each of the layers asked for."""
    chosen = [{"feature_block": block} if block else {} for block in settings.dverge_layers]
    return [stacked(MODELS[name](len(splits.class_names), **where)) for where in chosen]


def part(name: str, epoch: int) -> str:
    """What is measured of an architecture after an epoch, as its files are named."""
    return f"{name}-epoch-{epoch}"


def go_back(name: str, out: Path, parts: Sequence[str]) -> None:
    """Where what was measured after an epoch is lost, train that epoch's networks again.

    parts: after epochs 1, 2, …; those not reached yet are absent, which forgets nothing.
    """
    folder, config = out / MEASURED, kept.settings(out)
    there = (not kept.fault(folder, each, config) for each in parts)
    whole = sum(1 for _ in takewhile(bool, there))
    if whole < len(parts):
        rewind(name, out, whole)


def on_the_way(
    settings: Settings, name: str, ensemble: Ensemble, state: State, splits: Splits, out: Path
) -> Measured:
    """What is measured before DVERGE and after each of its epochs."""
    phases = defences.dverge(
        ensemble,
        optax.adam(settings.learning_rate),
        eps=settings.dverge_eps,
        step_size=settings.dverge_step_size,
        steps=settings.dverge_steps,
        layers=layers(settings, name, splits),
    )

    def measured(state: State, epoch: int) -> Measured:
        make = partial(measured_at, settings, name, ensemble, state, splits, epoch)
        return measure.once(out, part(name, epoch), make)

    state = training.onward(state, phases)
    before = measured(state, 0)
    go_back(f"{name}-dverge", out, [part(name, e) for e in range(1, settings.dverge_epochs)])
    state = trained(
        f"{name}-dverge",
        ensemble,
        phases,
        state,
        splits.train,
        epochs=settings.dverge_epochs,
        batch_size=settings.batch_size,
        directory=out,
        at_once=settings.runs_at_once,
        turns=settings.dverge_turns,
        watch=False,
        decided_by=DECIDED_BY,
        after=lambda state: measured(state, int(state.epoch[0])),
    )
    after = [measured(state, epoch + 1) for epoch in range(settings.dverge_epochs)]
    return measure.together([before, *after])


def check(settings: Settings, ensemble: Ensemble, splits: Splits) -> None:
    """Refuse impossible sizes and layers; where nothing is decorrelated a batch may be any."""
    for name in settings.models:
        for seen in layers(settings, name, splits):
            jax.eval_shape(seen.init, jax.random.key(0), splits.train.images[:1] / 255)
    measure.check(trials(settings, splits.test.images[0].size))
    if settings.published:
        features.check_samples(ensemble, splits)
        training.check_batch_size(settings.batch_size, splits.train)
    else:
        check_sizes(settings, ensemble, splits)


def study(settings: Settings) -> None:
    """Train, go on with DVERGE, attack on the way, write and draw."""
    check_published(settings, PRESETS[settings.preset], ("cnn",))

    def one(name: str, ensemble: Ensemble, splits: Splits, out: Path) -> Measured:
        state = train_pairs(settings, name, ensemble, splits.train, out)
        return on_the_way(settings, name, ensemble, state, splits, out)

    each_model(STUDY, settings, settings.models, stacked, one, partial(check, settings))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
