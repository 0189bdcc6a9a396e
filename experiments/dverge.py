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
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any, Literal

import jax
import optax

from experiments import decorrelated_pairs
from experiments.decorrelated_pairs import cohorts, train, trials
from experiments.frame import figures, kept, pairs, parts, published
from experiments.frame.grid import Cohort, Keys
from experiments.frame.job import Job
from experiments.frame.measure import natural, predictions
from experiments.frame.pairs import MODELS
from experiments.frame.parts import Measured
from experiments.frame.run import main
from experiments.frame.settings import Count
from experiments.frame.study import Study
from experiments.frame.tables import detection, networks, transfer
from experiments.frame.tables.table import Table
from experiments.frame.train import rewind
from jaxadv import defences, training
from jaxadv.data import Splits
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.leftovers import MEASURED
from jaxadv.results import Row
from jaxadv.training import State


@dataclass(frozen=True)
class Dverge:
    """What goes on from the trained pairs."""

    dverge_epochs: Count = 10
    """Epochs of DVERGE."""
    dverge_eps: float = 0.15
    """How far an image may be moved to resemble another, linf, image range [0, 1]."""
    dverge_steps: Count = 20
    """Signed steps of that."""
    dverge_step_size: float = 3 / 255
    """Their size, image range [0, 1]."""
    dverge_turns: Literal["epochs", "batches"] = "epochs"
    """Whether one network sees all batches of an epoch before the other, or they take turns."""
    dverge_layers: tuple[int, ...] = (0,)
    """Blocks whose features are to agree, one drawn for each epoch; 0: the decorrelated one."""


@dataclass(frozen=True)
class Settings(decorrelated_pairs.Settings):
    """DVERGE from plain and from decorrelated pairs: train, attack after every epoch."""

    models: tuple[Literal["cnn", "fc"], ...] = ("cnn",)
    """Architectures."""
    dverge: Dverge = Dverge()
    attacks: pairs.Attacks = pairs.Attacks(attacks=("pgd",), balls=("linf",), eps=(0.05, 0.1, 0.15))


PRESETS = {
    "paper": (PAPER := Settings()),
    "quick": PAPER.but(seeds=2, epochs=8, train_examples=10000, dverge_epochs=5, pgd_examples=500),
    "smoke": PAPER.but(
        dataset="digits",
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


def measured_at(job: Job[Settings], state: State, epoch: int) -> Measured:
    """One architecture after some epochs of DVERGE: natural images, and every attack.

    Predictions and images are those after the last epoch: of every epoch they would fill a disk.
    """
    runs: list[Keys] = [{**run, "epoch": epoch} for run in job.runs()]
    last = epoch == job.settings.dverge.dverge_epochs
    of = job, job.ensemble, state, runs
    keep = None if last else 0
    found = [natural.natural(*of)]
    found += [predictions.attacked(trial, *of, keep=keep) for trial in job.trials]
    whole = parts.together(found).under(job.cohort.name)
    return whole if last else parts.of_rows(whole.rows)


def layers(settings: Settings, name: str, classes: int) -> list[Ensemble]:
    """Pairs as seen at each of the layers asked for."""
    chosen = settings.dverge.dverge_layers
    where = [{"feature_block": block} if block else {} for block in chosen]
    return [stacked(MODELS[name](classes, **at)) for at in where]


def part(epoch: int) -> str:
    """What is measured after an epoch, as its files are named."""
    return f"epoch-{epoch}"


def go_back(job: Job[Settings], stage: str) -> None:
    """Where what was measured after an epoch is lost, train that epoch's networks again.

    Parts that are not reached yet are absent, which forgets nothing.
    """
    folder, config = job.out / MEASURED, kept.settings(job.out)
    epochs = range(1, job.settings.dverge.dverge_epochs)
    names = [f"{job.cohort.name}-{part(epoch)}" for epoch in epochs]
    there = (not kept.fault(folder, name, config) for name in names)
    whole = sum(1 for _ in takewhile(bool, there))
    if whole < len(names):
        rewind(f"{job.cohort.name}-{stage}", job.out, whole)


def measured(job: Job[Settings], state: State) -> Measured:
    """What is measured before DVERGE and after each of its epochs."""
    settings = job.settings
    asked, name = settings.dverge, job.cohort.name
    phases = defences.dverge(
        job.ensemble,
        optax.adam(settings.training.learning_rate),
        eps=asked.dverge_eps,
        step_size=asked.dverge_step_size,
        steps=asked.dverge_steps,
        layers=layers(settings, name, len(job.splits.class_names)),
    )

    def after(state: State, epoch: int) -> Measured:
        return job.part(part(epoch), partial(measured_at, job, state, epoch))

    state = training.onward(state, phases)
    before = after(state, 0)
    go_back(job, "dverge")
    state = job.trained(
        phases,
        state,
        stage="dverge",
        epochs=asked.dverge_epochs,
        reuse=False,
        turns=asked.dverge_turns,
        watch=False,
        decided_by=("dverge",),
        after=lambda state: after(state, int(state.epoch[0])),
    )
    return parts.together([before, *(after(state, e + 1) for e in range(asked.dverge_epochs))])


def check_settings(settings: Settings) -> None:
    """Refuse other pairs than are published."""
    if published.wanted(settings):
        published.check_pairs(settings, PRESETS[settings.preset], ("cnn",))


def check(settings: Settings, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse impossible sizes and layers; where nothing is decorrelated a batch may be any."""
    for name in settings.models:
        for seen in layers(settings, name, len(splits.class_names)):
            jax.eval_shape(seen.init, jax.random.key(0), splits.train.images[:1] / 255)
    decorrelated_pairs.check(settings, cohorts, splits)


def ends(rows: Sequence[Row]) -> list[Row]:
    """Rows before DVERGE and after its last epoch, which the variant names."""
    both = (0, max(row["epoch"] for row in rows))
    return [
        {**row, "variant": f"{row['variant']}, epoch {row['epoch']}"}
        for row in rows
        if row["epoch"] in both
    ]


def of_networks(rows: Sequence[Row]) -> Table:
    """Networks before and after."""
    return networks.networks(ends(rows))


def of_attacks(rows: Sequence[Row]) -> Table:
    """Success on one and on both, before and after."""
    return transfer.one_and_all(ends(rows))


def of_detection(rows: Sequence[Row]) -> Table:
    """Detection before and after."""
    return detection.detection(ends(rows))


BY_EPOCH: dict[str, Any] = {
    "x": "epoch",
    "panels": ("attack", "ball", "eps"),
    "across_label": "epochs of DVERGE",
}
STUDY = Study(
    name="dverge",
    paper="Wiedeman & Wang (Patterns 2022), Fig 4; Yang et al. (NeurIPS 2020)",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    measured=measured,
    check_settings=check_settings,
    check=check,
    tables=[of_networks, transfer.over_epochs, of_attacks, of_detection],
    figures=[
        figures.lines("transfer_rate", "transfer.png", **BY_EPOCH),
        figures.lines("success_rate", "success.png", **BY_EPOCH),
    ],
    keys=("epoch",),
    always=("clean_accuracy", "transfer_rate"),
    minutes={"smoke": 1, "quick": 15},
)

if __name__ == "__main__":
    main(STUDY)
