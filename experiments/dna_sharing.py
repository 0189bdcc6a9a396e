"""Fig 10 of Wiedeman & Wang (Patterns 2022): how much may the pathways of an autoencoder share?

    python -m experiments.dna_sharing --preset smoke     # digits, seconds
    python -m experiments.dna_sharing --preset quick     # MNIST, CPU minutes
    python -m experiments.dna_sharing --preset paper     # MNIST, the paper's settings

Of the six layers of each pathway of the MNIST autoencoder 2, 4 or all 6 are its own. The paper
finds that the more are, the more often some reconstruction survives an attack.
"""

from dataclasses import dataclass
from functools import partial

from experiments.frame import answers, autoencoders, pathway_figures, settings
from experiments.frame.autoencoders import QUICK, SMOKE, Network
from experiments.frame.grid import Cohort
from experiments.frame.run import main
from experiments.frame.study import Study
from experiments.frame.trials import Trial
from jaxadv.data import Splits
from jaxadv.errors import UserError
from jaxadv.models import dna


@dataclass(frozen=True)
class Training(autoencoders.Training):
    """How the networks come to be."""

    strengths: tuple[float, ...] = (0.05,)
    """λ of the correlation loss on the necks' features."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """Autoencoders whose pathways share more or fewer layers: train, attack, compare."""

    unshared: tuple[int, ...] = (2, 4, 6)
    """Of six layers, how many innermost ones belong to each pathway alone."""
    training: Training = Training()
    attacks: autoencoders.Attacks = autoencoders.Attacks()


PRESETS = {
    "paper": (PAPER := Settings()),
    "quick": PAPER.but(**QUICK),
    "smoke": PAPER.but(
        **SMOKE | {"attacks": ("fgsm",)}, strengths=(0.005,), unshared=(2, 6), combine=("loss",)
    ),
}


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """One network for each number of unshared layers."""
    training, several = settings.training, len(settings.training.strengths) > 1

    def title(count: int, strength: float) -> str:
        return f"{count} unshared" + (f", λ={strength:g}" if several else "")

    networks = [
        Network(f"dna-{count}", dna(2, count), training.strengths, partial(title, count))
        for count in settings.unshared
    ]
    networks[0] = networks[0]._replace(pictured=True)
    return autoencoders.cohorts(networks, training, splits)


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """FGSM and PGD on the pathways joined in every way."""
    return autoencoders.attacks_of(settings.attacks)


def check_settings(settings: Settings) -> None:
    """Refuse architectures whose layers are not shared."""
    if settings.training.model != "dense":
        raise UserError(
            f"--model {settings.training.model}: layers are shared or not in the dense one"
        )


STUDY = Study(
    name="dna_sharing",
    paper="Wiedeman & Wang (Patterns 2022), Fig 10",
    presets=PRESETS,
    cohorts=cohorts,
    train=autoencoders.train,
    trials=trials,
    measured=autoencoders.measured,
    check_settings=check_settings,
    check=autoencoders.check_sizes,
    tables=pathway_figures.TABLES,
    figures=pathway_figures.FIGURES,
    always=("any_correct",),
    shown_eps=0.05,
    shown_arrays=("pictures",),
    answer=answers.survival,
    minutes={"smoke": 1},
)

if __name__ == "__main__":
    main(STUDY)
