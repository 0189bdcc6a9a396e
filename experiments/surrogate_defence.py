"""A network that differs from a known surrogate (proposed by Wiedeman & Wang, Patterns 2022).

    python -m experiments.surrogate_defence --preset smoke     # digits, seconds
    python -m experiments.surrogate_defence --preset quick     # MNIST, CPU minutes
    python -m experiments.surrogate_defence --preset paper     # MNIST, as the pairs of the paper
    python -m experiments.surrogate_defence --preset robust    # the classes first, against collapse

An attacker who cannot see the deployed network crafts on one of his own. A surrogate of his kind is
trained and then frozen, and a new network beside it with λ = 0 and λ = 0.05 on the correlation of
its features with the surrogate's; the two begin at the same weights and see the same batches. Then
the surrogate is attacked, and the new network's answers counted. `robust` is as in
`decorrelated_pairs`: it trains no independent networks of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import optax

from experiments.frame import answers, figures, grid, pairs, settings
from experiments.frame.finished import Finished
from experiments.frame.grid import Cohort, Variant
from experiments.frame.job import Job
from experiments.frame.pairs import MODELS, ROBUST
from experiments.frame.run import main
from experiments.frame.study import Draw, MakeTable, Study
from experiments.frame.tables import detection, networks, transfer
from experiments.frame.tables.table import Table
from experiments.frame.trials import Trial
from jaxadv.data import Dataset, Splits
from jaxadv.defences import decorrelation, regularised
from jaxadv.ensemble import EnsembleOutputs, frozen, mixed, stacked
from jaxadv.losses import classify
from jaxadv.phases import Metrics
from jaxadv.results import Row
from jaxadv.training import State, is_parameter
from jaxadv.types import Array


@dataclass(frozen=True)
class Settings(settings.Settings):
    """New networks decorrelated from a frozen surrogate, and not: train, attack the surrogate."""

    models: tuple[Literal["cnn", "fc"], ...] = ("cnn",)
    """Architectures."""
    training: pairs.Decorrelation = pairs.Decorrelation()
    attacks: pairs.Attacks = pairs.Attacks(balls=("linf",))


PRESETS = {
    "paper": (PAPER := Settings()),
    "robust": PAPER.but(**ROBUST),
    "quick": PAPER.but(models=("fc",), seeds=2, epochs=5, pgd_examples=500),
    "smoke": PAPER.but(
        dataset="digits",
        models=("fc",),
        seeds=2,
        epochs=10,
        batch_size=359,
        attacks=("pgd",),
        eps=(0.1,),
        pgd_steps=10,
        pgd_examples=120,
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Of each architecture the frozen surrogate, and beside it the network that learns."""
    strengths, found = settings.training.strengths, []
    variants = [Variant(variant_of(s, strengths), {"strength": s}) for s in strengths]
    for name in settings.models:
        model = MODELS[name](len(splits.class_names))
        beside = mixed([frozen(stacked(model, 1)), stacked(model, 1)])
        found.append(Cohort(name, name, beside, variants))
    return found


def variant_of(strength: float, strengths: Sequence[float]) -> str:
    """The name of a new network trained with λ = `strength` beside the surrogate."""
    name = pairs.variant_of(strength, strengths)
    return "independent" if name == "plain" else f"{name} from it"


def _learns(path: tuple) -> bool:
    return path[0].idx == 1 and is_parameter(path)


def _of_the_new(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, Metrics]:
    return classify(outputs._replace(logits=outputs.logits[1:]), batch)


def train(job: Job[Settings]) -> State:
    """The runs, each beside its seed's surrogate."""
    training, name = job.settings.training, job.cohort.name
    optimizer = optax.adam(training.learning_rate)
    alone = stacked(MODELS[name](len(job.splits.class_names)), 1)
    single = job.of(Cohort(name, name, alone, [Variant("surrogate")]))
    surrogates = single.trained([regularised(alone, optimizer)], stage="surrogate").variables

    phases = [
        decorrelation(
            job.ensemble, optimizer, task=_of_the_new, trainable=_learns, **training.options()
        )
    ]
    state, count = job.begun(phases), len(job.cohort.variants)
    every = jax.tree.map(lambda leaf: jnp.asarray(grid.once_a_variant(leaf, count)), surrogates)
    joined = (every, state.variables[1])
    return job.trained(phases, state._replace(variables=joined), stage="beside")


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """FGSM and PGD."""
    return pairs.attacks_of(settings.attacks, splits)


def check(settings: Settings, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse batches and data too small for regressions."""
    pairs.check_features(settings, cohorts, splits)
    if settings.place.from_dir is None:
        pairs.check_decorrelation(settings.training, cohorts, splits)


def seen(rows: Sequence[Row]) -> list[Row]:
    """Without attacks on the new network alone: once deployed, that is not seen."""
    return [row for row in rows if row.get("source") != "2"]


def known(make: MakeTable) -> MakeTable:
    """A table of what is seen."""
    return lambda rows: make(seen(rows))


def answer(rows: Sequence[Row], eps: float) -> str:
    """How many of the surrogate's images fool the new network."""
    return answers.transfer(seen(rows), eps)


def of_surrogate(draw: Draw) -> Draw:
    """A figure of attacks on the surrogate alone."""

    def drawn(run: Finished, folder: Path) -> None:
        draw(replace(run, rows=[r for r in run.rows if r.get("source") in (None, "1")]), folder)

    return drawn


TABLES: list[Callable[[Sequence[Row]], Table]] = [
    networks.networks,
    transfer.transfer,
    transfer.one_and_all,
    detection.detection,
    transfer.adversarial_features,
]
FIGURES: list[Draw] = [figures.transfer_bars, figures.success, figures.feature_scatters]
STUDY = Study(
    name="surrogate_defence",
    paper="proposed in Wiedeman & Wang (Patterns 2022), Discussion",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    check=check,
    tables=[known(table) for table in TABLES],
    figures=[of_surrogate(figure) for figure in FIGURES],
    shown_arrays=("component",),
    answer=answer,
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
