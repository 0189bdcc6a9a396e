"""Fig 1 of Wiedeman & Wang (Patterns 2022): does distance between the weights stop transfer?

    python -m experiments.parametric_distance --preset smoke    # digits, about a minute
    python -m experiments.parametric_distance --preset paper    # MNIST, the paper's settings

Pairs of CNNs are trained at chosen squared distances ‖θ1 − θ2‖², every seed of every distance in
one program, and attacked with FGSM. The paper finds no dependence of transfer on distance, and R²
that stays high on natural and adversarial inputs.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax
import numpy as np
import optax

from experiments import cli, features, measure
from experiments.measure import Keys, Measured
from experiments.pairs import each_model
from experiments.train import trained
from jaxadv import training
from jaxadv.attacks import fgsm
from jaxadv.data import Splits
from jaxadv.defences import parametric_distance
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.losses import squared_distance

STUDY = "parametric_distance"


@dataclass(frozen=True)
class Settings(cli.Common):
    """Pairs at chosen distances in weight space: train, attack, regress transfer on distance."""

    model: Literal["cnn", "fc"] = "cnn"
    """Architecture."""
    distances: tuple[float, ...] = (1000.0, 1500.0, 2000.0, 2500.0, 3000.0)
    """Target squared distances D_t between the two networks' weights."""
    strength: float = 1e-5
    """λ of the distance loss (D_t − ‖θ1 − θ2‖²)²."""
    joined: Literal["sum", "root_sum_square"] = "sum"
    """How the two cross-entropies join."""
    epochs: int = 10
    """Training epochs."""
    batch_size: int = 1000
    """Images a batch."""
    learning_rate: float = 5e-3
    """Of Adam."""
    eps: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2)
    """FGSM radii, linf, image range [0, 1]."""
    combine: Literal["loss", "logits", "probabilities", "gradients"] = "loss"
    """Where the members are joined when both are attacked at once."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper")),
    "quick": replace(PAPER, preset="quick", seeds=2, train_examples=20000),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
        seeds=2,
        epochs=30,
        batch_size=359,
        distances=(100.0, 300.0, 500.0),
    ),
}


def train_pairs(
    settings: Settings, ensemble: Ensemble, splits: Splits, out: Path
) -> training.State:
    """The trained runs: every distance by every seed, in that order."""
    phase = parametric_distance(
        ensemble,
        optax.adam(settings.learning_rate),
        strength=settings.strength,
        joined=settings.joined,
    )
    seeds = settings.seed_list * len(settings.distances)
    targets = np.repeat(settings.distances, settings.seeds)
    state = training.init(ensemble.init, [phase], splits.train, seeds, {"distance": targets})
    return trained(
        settings.model,
        ensemble,
        [phase],
        state,
        splits.train,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
    )


def measured(
    settings: Settings, ensemble: Ensemble, state: training.State, splits: Splits, out: Path
) -> Measured:
    """Natural images and FGSM; rows carry the run's target and measured distance."""
    runs: list[Keys] = [
        {
            "model": settings.model,
            "defence": "parametric_distance",
            "seed": int(seed),
            "target_distance": float(target),
            "distance": _rounded(float(squared_distance(_of_run(state, number)))),
        }
        for number, (seed, target) in enumerate(
            zip(state.seed, state.settings["distance"], strict=True)
        )
    ]

    def attacked() -> Measured:
        return measure.attacked(
            measure.Trial("fgsm", "linf", fgsm, np.asarray(settings.eps, np.float32)),
            ensemble,
            state,
            splits.test,
            runs,
            combine=settings.combine,
            with_features=True,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    natural = measure.once(out, "natural", lambda: measure.natural(ensemble, state, splits, runs))
    return measure.together([natural, measure.once(out, "fgsm-linf", attacked)])


def _rounded(distance: float) -> float | None:
    """To three digits; null where a network diverged."""
    return round(distance, 3) if np.isfinite(distance) else None


def _of_run(state: training.State, number: int) -> dict[str, np.ndarray]:
    return jax.tree.map(lambda leaf: leaf[number], state.variables["params"])


def study(settings: Settings) -> None:
    """Train, attack, measure, write and draw."""

    def one(name: str, ensemble: Ensemble, splits: Splits, out: Path) -> Measured:
        return measured(
            settings, ensemble, train_pairs(settings, ensemble, splits, out), splits, out
        )

    each_model(STUDY, settings, [settings.model], stacked, one, features.check_samples)


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
