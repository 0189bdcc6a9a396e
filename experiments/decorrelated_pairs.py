"""Figs 2 and 3 of Wiedeman & Wang (Patterns 2022): do decorrelated networks share their failures?

    python -m experiments.decorrelated_pairs --preset smoke     # digits, about a minute
    python -m experiments.decorrelated_pairs --preset quick     # MNIST, CPU minutes
    python -m experiments.decorrelated_pairs --preset paper     # the paper's settings
    python -m experiments.decorrelated_pairs --preset robust    # a gentler start, to avoid collapse
    python -m experiments.decorrelated_pairs --preset paper --published --seeds 1   # the authors'

Pairs of networks are trained with λ = 0 and λ = 0.05 from the same initial weights on the same
batches, every seed of both in one program, then attacked one at a time and together.

The published loss drives one network's features to zero in many runs. `robust` lets the classes be
learned before λ rises, asks for decorrelation in both directions, and measures it on random
sketches of the features, on which dropping features gains nothing. It trains no plain pairs of its
own: those of `paper` have the same seeds, initial weights and batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import optax

from experiments import cli, features, measure, published
from experiments.measure import Measured
from experiments.options import option
from experiments.pairs import each_model
from experiments.train import trained
from jaxadv import training
from jaxadv.attacks import Attack, Ball, fgm, fgsm, l2, linf, pgd
from jaxadv.data import Dataset, Splits
from jaxadv.defences import decorrelation, ramp
from jaxadv.ensemble import Ensemble, stacked
from jaxadv.errors import UserError
from jaxadv.losses import check_regression
from jaxadv.types import Array

STUDY = "decorrelated_pairs"


@dataclass(frozen=True)
class Settings(cli.Common):
    """Decorrelated against plain pairs: train, attack, measure what transfers."""

    models: tuple[Literal["cnn", "fc"], ...] = ("cnn", "fc")
    """Architectures."""
    strengths: tuple[float, ...] = (0.0, 0.05)
    """λ of the correlation loss; 0 is the plain pair."""
    joined: Literal["sum", "root_sum_square"] = "root_sum_square"
    """How the two cross-entropies join: sum (the paper's text) or root_sum_square (its code)."""
    direction: Literal["forward", "backward", "both"] = "forward"
    """Regress features of network 2 on 1 (forward, the paper), 1 on 2, or both."""
    ridge: float = 1.2e-4
    """Ridge relative to the largest singular value; 0 is exact least squares."""
    sketch_width: int = 0
    """Correlate features on so many random directions, fresh each step; 0 is the features."""
    delay_epochs: float = 0.0
    """Epochs before the correlation loss begins."""
    ramp_epochs: float = 0.0
    """Epochs over which λ then rises linearly to its full value."""
    epochs: int = 20
    """Training epochs."""
    batch_size: int = 1000
    """Images a batch; must exceed the feature layer's width + 1."""
    learning_rate: float = 5e-3
    """Of Adam."""
    attacks: tuple[Literal["fgsm", "pgd"], ...] = ("fgsm", "pgd")
    """Attacks; in l2 the single step of fgsm is FGM's."""
    balls: tuple[Literal["linf", "l2"], ...] = ("linf", "l2")
    """Norms that bound the attacks."""
    eps: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2)
    """Attack radii, linf, image range [0, 1]; the l2 radius is eps times sqrt(pixels)."""
    pgd_steps: int = 40
    """Steps of PGD."""
    pgd_step_size: float = 3 / 255
    """Step of PGD, linf, image range [0, 1]; in l2 times sqrt(pixels)."""
    pgd_examples: int = 2000
    """PGD on so many test images, evenly spaced; 0, or more than there are, is all. FGSM always
    takes all."""
    combine: Literal["loss", "logits", "probabilities", "gradients"] = "loss"
    """Where the members are joined when all are attacked at once."""
    published: bool = False
    """Take the authors' published pairs, one of each kind; the seeds decide what is drawn later."""
    published_dir: Path | None = None
    """Folder of these: a clone of the authors' repository, or .npz files; default
    $JAXADV_REFERENCE."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper")),
    "robust": replace(
        PAPER,
        preset="robust",
        seeds=8,
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
        seeds=8,
        epochs=25,
        batch_size=359,
        pgd_steps=20,
        pgd_examples=120,
    ),
}


# What the training of pairs is set by, which published ones have behind them.
OF_PAIRS = ("epochs", "joined", "direction", "ridge", "sketch_width", "delay_epochs", "ramp_epochs")


def check_published(settings: Settings, usual: Settings, models: Sequence[str]) -> None:
    """Refuse what published pairs of these architectures cannot be asked for.

    usual: the preset's settings.
    """
    if not published.wanted(settings):
        return
    known = set(settings.models) <= set(models) and set(settings.strengths) <= {0.0, 0.05}
    if settings.data != "mnist" or not known:
        words = " or ".join(models)
        raise UserError(
            f"--published: the pairs are --data mnist --models {words} --strengths 0 0.05"
        )
    for name in OF_PAIRS:
        if getattr(settings, name) != getattr(usual, name):
            raise UserError(
                f"{option(name)} {getattr(settings, name)}: published pairs are trained already"
            )


def defence(strength: float, strengths: Sequence[float]) -> str:
    """The name in rows of pairs trained with λ = `strength`, which it tells where several are."""
    if strength == 0:
        return "plain"
    alone = len({other for other in strengths if other}) == 1
    return "decorrelated" if alone else f"decorrelated λ={strength:g}"


def trials(settings: Settings, pixels: int) -> list[measure.Trial]:
    """FGSM and PGD in both balls; in l2 radius and step grow by sqrt(pixels)."""
    wide = pixels**0.5
    # Each rounded once: 4.2, where 28 times the float32 of 0.15 is 4.2000003.
    box, ball = (np.asarray(np.multiply(c, settings.eps), np.float32) for c in (1, wide))
    few = settings.pgd_examples

    def pgd_in(ball: Ball, scale: float, eps: Array) -> Attack:
        return pgd(eps, scale * settings.pgd_step_size, settings.pgd_steps, ball)

    known = {
        ("fgsm", "linf"): measure.Trial("fgsm", "linf", fgsm, box),
        ("fgsm", "l2"): measure.Trial("fgm", "l2", fgm, ball),
        ("pgd", "linf"): measure.Trial("pgd", "linf", partial(pgd_in, linf, 1.0), box, few),
        ("pgd", "l2"): measure.Trial("pgd", "l2", partial(pgd_in, l2, wide), ball, few),
    }
    return [known[attack, ball] for attack in settings.attacks for ball in settings.balls]


def check_sizes(settings: Settings, ensemble: Ensemble, splits: Splits) -> None:
    """Refuse batches and data too small for regressions before the first model is trained."""
    features.check_samples(ensemble, splits)
    width = settings.sketch_width or features.feature_width(ensemble, splits.train)
    if any(settings.strengths) and settings.from_dir is None and not settings.published:
        check_regression(settings.batch_size, width)


def train_pairs(
    settings: Settings, name: str, ensemble: Ensemble, data: Dataset, out: Path
) -> training.State:
    """The trained runs of one architecture: every strength by every seed, in that order."""
    if settings.published:
        folder = published.folder_of(settings.published_dir)
        return published.pairs(folder, name, settings.strengths, settings.seed_list, ensemble, data)
    phase = decorrelation(
        ensemble,
        optax.adam(settings.learning_rate),
        joined=settings.joined,
        schedule=ramp(settings.ramp_epochs, settings.delay_epochs),
        sketch_width=settings.sketch_width,
        direction=settings.direction,
        ridge=settings.ridge,
    )
    seeds = settings.seed_list * len(settings.strengths)
    strengths = np.repeat(settings.strengths, settings.seeds)
    state = training.init(ensemble.init, [phase], data, seeds, {"strength": strengths})
    return trained(
        name,
        ensemble,
        [phase],
        state,
        data,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        directory=out,
        reuse=settings.from_dir,
        at_once=settings.runs_at_once,
    )


def measured(
    settings: Settings,
    name: str,
    ensemble: Ensemble,
    state: training.State,
    splits: Splits,
    out: Path,
    named: Callable[[float, Sequence[float]], str] = defence,
) -> Measured:
    """One architecture: natural images, then every attack, the first with its features.

    named: what rows call a run, from its λ and everyone's.
    """
    strengths = np.asarray(state.settings["strength"]).tolist()
    runs = [
        {"model": name, "defence": named(strength, strengths), "seed": int(seed)}
        for strength, seed in zip(strengths, state.seed, strict=True)
    ]

    def attacked(trial: measure.Trial, first: bool) -> Measured:
        return measure.attacked(
            trial,
            ensemble,
            state,
            splits.test,
            runs,
            combine=settings.combine,
            with_features=first,
            keep=settings.save_adversarial,
            at_once=settings.runs_at_once,
        )

    parts = [
        measure.once(out, f"{name}-natural", lambda: measure.natural(ensemble, state, splits, runs))
    ]
    for number, trial in enumerate(trials(settings, splits.test.images[0].size)):
        what = f"{name}-{trial.name}-{trial.ball}"
        parts.append(measure.once(out, what, partial(attacked, trial, number == 0)))
    rows, arrays, images = measure.together(parts)
    return Measured(rows, measure.under(name, arrays), measure.under(name, images))


def study(settings: Settings) -> None:
    """Train, attack, measure, write and draw."""
    check_published(settings, PRESETS[settings.preset], ("cnn", "fc"))

    def one(name: str, ensemble: Ensemble, splits: Splits, out: Path) -> Measured:
        state = train_pairs(settings, name, ensemble, splits.train, out)
        return measured(settings, name, ensemble, state, splits, out)

    each_model(STUDY, settings, settings.models, stacked, one, partial(check_sizes, settings))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
