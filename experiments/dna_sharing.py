"""Fig 10 of Wiedeman & Wang (Patterns 2022): how much may the pathways of an autoencoder share?

    python -m experiments.dna_sharing --preset smoke     # digits, seconds
    python -m experiments.dna_sharing --preset quick     # MNIST, CPU minutes
    python -m experiments.dna_sharing --preset paper     # MNIST, the paper's settings

Of the six layers of each pathway of the MNIST autoencoder 2, 4 or all 6 are its own. The paper
finds that the more are, the more often some reconstruction survives an attack.
"""

from dataclasses import dataclass, replace
from functools import partial

from experiments import autoencoders, cli, pathways, report
from experiments.autoencoders import QUICK, SMOKE, Network
from jaxadv.errors import UserError
from jaxadv.models import dna

STUDY = "dna_sharing"


@dataclass(frozen=True)
class Settings(autoencoders.Settings):
    """Autoencoders whose pathways share more or fewer layers: train, attack, compare."""

    strengths: tuple[float, ...] = (0.05,)
    """λ of the correlation loss on the necks' features."""
    unshared: tuple[int, ...] = (2, 4, 6)
    """Of six layers, how many innermost ones belong to each pathway alone."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper")),
    "quick": replace(PAPER, **QUICK),
    "smoke": replace(
        PAPER,
        **SMOKE | {"attacks": ("fgsm",)},
        strengths=(0.005,),
        unshared=(2, 6),
        directions=("sum",),
    ),
}


def networks(settings: Settings) -> list[Network]:
    """One network for each number of unshared layers."""
    if settings.model != "dense":
        raise UserError(f"--model {settings.model}: layers are shared or not in the dense one")
    several = len(settings.strengths) > 1

    def title(count: int, strength: float) -> str:
        return f"{count} unshared" + (f", λ={strength:g}" if several else "")

    return [
        Network(f"dna-{count}", dna(2, count), settings.strengths, partial(title, count))
        for count in settings.unshared
    ]


def study(settings: Settings) -> None:
    """Train, attack, measure, write and draw."""
    report.show(pathways.study(STUDY, settings, networks(settings)))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
