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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments import cli, decorrelated_pairs
from experiments.decorrelated_pairs import check_sizes, measured
from experiments.measure import Measured
from experiments.pairs import MODELS, each_model
from experiments.train import trained
from jaxadv import training
from jaxadv.data import Dataset, Splits
from jaxadv.defences import decorrelation, ramp, regularised
from jaxadv.ensemble import Ensemble, EnsembleOutputs, frozen, mixed, stacked
from jaxadv.losses import classify
from jaxadv.losses.classification import Joined
from jaxadv.models import Model
from jaxadv.training import Metrics, State, is_parameter
from jaxadv.types import Array

STUDY = "surrogate_defence"


@dataclass(frozen=True)
class Settings(decorrelated_pairs.Settings):
    """New networks decorrelated from a frozen surrogate, and not: train, attack the surrogate."""

    joined: tyro.conf.Suppress[Joined] = "root_sum_square"
    """One network learns at a time: there is nothing to join."""
    published: tyro.conf.Suppress[bool] = False
    """The authors have published no such networks."""
    published_dir: tyro.conf.Suppress[Path | None] = None
    """Nor this."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper", models=("cnn",), balls=("linf",))),
    "robust": replace(
        PAPER,
        preset="robust",
        strengths=(0.2,),
        direction="both",
        sketch_width=128,
        delay_epochs=2,
        ramp_epochs=4,
    ),
    "quick": replace(PAPER, preset="quick", models=("fc",), seeds=2, epochs=5, pgd_examples=500),
    "smoke": replace(
        PAPER,
        preset="smoke",
        data="digits",
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


def beside(model: Model) -> Ensemble:
    """The frozen surrogate, and the network that learns."""
    return mixed([frozen(stacked(model, 1)), stacked(model, 1)])


def _learns(path: tuple) -> bool:
    return path[0].idx == 1 and is_parameter(path)


def _of_the_new(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, Metrics]:
    return classify(outputs._replace(logits=outputs.logits[1:]), batch)


def train(settings: Settings, name: str, both: Ensemble, splits: Splits, out: Path) -> State:
    """The runs: every strength by every seed, each beside its seed's surrogate."""
    model, optimizer = MODELS[name](len(splits.class_names)), optax.adam(settings.learning_rate)

    def stage(what: str, ensemble: Ensemble, phases: list, state: State) -> State:
        return trained(
            f"{name}-{what}",
            ensemble,
            phases,
            state,
            splits.train,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            directory=out,
            reuse=settings.from_dir,
            at_once=settings.runs_at_once,
        )

    alone, seeds = stacked(model, 1), settings.seed_list
    plain = [regularised(alone, optimizer)]
    begun = training.init(alone.init, plain, splits.train, seeds)
    surrogates = stage("surrogate", alone, plain, begun).variables

    strengths = np.repeat(settings.strengths, settings.seeds)
    phases = [
        decorrelation(
            both,
            optimizer,
            task=_of_the_new,
            schedule=ramp(settings.ramp_epochs, settings.delay_epochs),
            sketch_width=settings.sketch_width,
            direction=settings.direction,
            ridge=settings.ridge,
            trainable=_learns,
        )
    ]
    every = seeds * len(settings.strengths)
    state = training.init(both.init, phases, splits.train, every, {"strength": strengths})
    repeat = lambda leaf: jnp.concatenate([leaf] * len(settings.strengths))  # noqa: E731
    joined = (jax.tree.map(repeat, surrogates), state.variables[1])
    return stage("beside", both, phases, state._replace(variables=joined))


def defence(strength: float, strengths: Sequence[float]) -> str:
    """The name in rows of a new network trained with λ = `strength` beside the surrogate."""
    name = decorrelated_pairs.defence(strength, strengths)
    return "independent" if name == "plain" else f"{name} from it"


def study(settings: Settings) -> None:
    """Train, attack, measure, write and draw."""

    def one(name: str, ensemble: Ensemble, splits: Splits, out: Path) -> Measured:
        state = train(settings, name, ensemble, splits, out)
        return measured(settings, name, ensemble, state, splits, out, defence)

    each_model(STUDY, settings, settings.models, beside, one, partial(check_sizes, settings))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
