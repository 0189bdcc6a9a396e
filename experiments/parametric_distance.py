"""Fig 1 of Wiedeman & Wang (Patterns 2022): does distance between the weights stop transfer?

    python -m experiments.parametric_distance --preset smoke    # digits, about a minute
    python -m experiments.parametric_distance --preset paper    # MNIST, the paper's settings

Pairs of CNNs are trained at chosen squared distances ‖θ1 − θ2‖², every seed of every distance in
one program, and attacked with FGSM. The paper finds no dependence of transfer on distance, and R²
that stays high on natural and adversarial inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import optax

from experiments.frame import pairs, settings
from experiments.frame.finished import Finished
from experiments.frame.grid import Cohort, Variant
from experiments.frame.job import Job
from experiments.frame.measure import runs
from experiments.frame.parts import Measured
from experiments.frame.run import main
from experiments.frame.settings import Radii
from experiments.frame.study import Study
from experiments.frame.tables import distance, networks, transfer
from experiments.frame.tables.table import Table
from experiments.frame.trials import Trial, fgsm_trial
from jaxadv import plots
from jaxadv.data import Splits
from jaxadv.defences import parametric_distance
from jaxadv.ensemble import stacked
from jaxadv.losses import squared_distance
from jaxadv.results import Row
from jaxadv.training import State


@dataclass(frozen=True)
class Training(settings.Training):
    """How pairs are drawn to their distance."""

    epochs: settings.Count = 10
    """Training epochs."""
    model: Literal["cnn", "fc"] = "cnn"
    """Architecture."""
    distances: tuple[float, ...] = (1000.0, 1500.0, 2000.0, 2500.0, 3000.0)
    """Target squared distances D_t between the two networks' weights."""
    strength: float = 1e-5
    """λ of the distance loss (D_t − ‖θ1 − θ2‖²)²."""
    joined: Literal["sum", "root_sum_square"] = "sum"
    """How the two cross-entropies join."""


@dataclass(frozen=True)
class Attacks(settings.Attacks):
    """FGSM on each network and on both."""

    eps: Radii = (0.05, 0.1, 0.15, 0.2)
    """FGSM radii, linf, image range [0, 1]."""
    combine: pairs.Combine = "loss"
    """Where the members are joined when both are attacked at once."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Pairs at chosen distances in weight space: train, attack, regress transfer on distance."""

    training: Training = Training()
    attacks: Attacks = Attacks()


PRESETS = {
    "paper": (PAPER := Settings()),
    "quick": PAPER.but(seeds=2, train_examples=20000),
    "smoke": PAPER.but(
        dataset="digits", seeds=2, epochs=30, batch_size=359, distances=(100.0, 300.0, 500.0)
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """Pairs at each distance."""
    model = settings.training.model
    ensemble = stacked(pairs.MODELS[model](len(splits.class_names)))
    variants = [
        Variant("parametric_distance", {"distance": target}, {"target_distance": target})
        for target in settings.training.distances
    ]
    return [Cohort(model, model, ensemble, variants)]


def train(job: Job[Settings]) -> State:
    """The trained pairs."""
    training = job.settings.training
    phase = parametric_distance(
        job.ensemble,
        optax.adam(training.learning_rate),
        strength=training.strength,
        joined=training.joined,
    )
    return job.trained([phase])


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """FGSM."""
    return [fgsm_trial(settings.attacks.eps)._replace(combine=settings.attacks.combine)]


def measured(job: Job[Settings], state: State) -> Measured:
    """Natural images and FGSM; rows carry the run's measured distance too."""
    keys = [
        {**run, "distance": _rounded(float(squared_distance(_of_run(state, number))))}
        for number, run in enumerate(job.runs())
    ]
    return runs.measured(job, state, runs=keys, with_features=True)


def _rounded(distance: float) -> float | None:
    """To three digits; null where a network diverged."""
    return round(distance, 3) if np.isfinite(distance) else None


def _of_run(state: State, number: int) -> dict[str, np.ndarray]:
    return jax.tree.map(lambda leaf: leaf[number], state.variables["params"])


def named(rows: Sequence[Row]) -> list[Row]:
    """Rows whose variant is named by the distance that its pairs were trained to."""
    return [{**row, "variant": f"‖θ1 − θ2‖² → {row['target_distance']:g}"} for row in rows]


def of_networks(rows: Sequence[Row]) -> Table:
    """The networks at each distance."""
    return networks.networks(named(rows))


def of_attacks(rows: Sequence[Row]) -> Table:
    """Success on one and on both at each distance."""
    return transfer.one_and_all(named(rows))


def panels(run: Finished, folder: Path) -> None:
    """The paper's Fig 1."""
    plots.distance_panels(run.rows, folder / "distance.png")


STUDY = Study(
    name="parametric_distance",
    paper="Wiedeman & Wang (Patterns 2022), Fig 1",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
    trials=trials,
    measured=measured,
    check=pairs.check_features,
    tables=[of_networks, distance.slopes, of_attacks],
    figures=[panels],
    keys=("distance", "target_distance"),
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
