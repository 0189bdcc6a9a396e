"""Figs 6 to 9 of Wiedeman & Wang (Patterns 2022), 4 to 6 of the preprint: do two encodings help?

    python -m experiments.dna --preset smoke     # digits, seconds; without the AE
    python -m experiments.dna --preset quick     # MNIST, CPU minutes
    python -m experiments.dna --preset paper     # MNIST, the paper's settings
    python -m experiments.dna --preset cifar     # CIFAR-10, the paper's settings, for a GPU
    python -m experiments.dna --preset paper --published --strengths 0.05 --adversarial-epochs 0

A dual-neck autoencoder is trained with λ = 0.05 and λ = 0, and a plain autoencoder of the same
layers with one neck (AE); then a classifier on the reconstructions of each. Attacks on the
classification are answered by every pathway's reconstruction.

The paper attacks the sum of the pathways' losses, and counts an image as right if any pathway is.
Against that count the attack to fear is `min`, which raises the least of the losses.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments import autoencoders, cli, pathways, published, report
from experiments.autoencoders import QUICK, SMOKE, Network
from jaxadv import models, training
from jaxadv.data import Splits
from jaxadv.errors import UserError
from jaxadv.models import Autoencoder

STUDY = "dna"


@dataclass(frozen=True)
class Settings(autoencoders.Settings):
    """The dual-neck autoencoder against a plain one: train, attack, measure what any neck saves."""

    baseline: bool = True
    """Also train the plain autoencoder, AE."""
    published: bool = False
    """Take the authors' published MNIST networks; the seeds decide what is drawn in the attacks."""
    published_dir: Path | None = None
    """Folder of these: a clone of the authors' repository, or .npz files; default
    $JAXADV_REFERENCE."""


PRESETS = {
    "paper": (PAPER := Settings(preset="paper", adversarial_epochs=2)),
    "quick": replace(PAPER, **QUICK, adversarial_epochs=1),
    "smoke": replace(
        PAPER,
        **SMOKE,
        strengths=(0.005, 0.0),
        adversarial_epochs=0,
        directions=("sum", "min"),
        baseline=False,
    ),
    "cifar": (
        CIFAR := replace(
            PAPER,
            preset="cifar",
            data="cifar10",
            model="residual",
            augment=True,
            batch_size=1250,
            eps=(2 / 255, 4 / 255, 8 / 255),
            pgd_step_size=2 / 255,
            adversarial_epochs=0,
        )
    ),
    "cifar-quick": replace(
        CIFAR,
        preset="cifar-quick",
        seeds=1,
        train_examples=5000,
        epochs=4,
        classifier_epochs=2,
        batch_size=500,
        classifier_batch_size=100,
        pgd_steps=10,
        pgd_examples=100,
        attacks=("pgd",),
        directions=("sum", "min"),
    ),
}


def autoencoder(settings: autoencoders.Settings, necks: int) -> Autoencoder:
    """The autoencoder of the architecture asked for."""
    return {"dense": models.dna, "residual": models.residual_dna}[settings.model](necks)


def networks(settings: Settings) -> list[Network]:
    """The DNA with each λ, and the AE."""
    title = "DNA λ={:g}".format
    found = [Network("dna", autoencoder(settings, 2), settings.strengths, title)]
    if settings.baseline:
        found.append(Network("ae", autoencoder(settings, 1), (0.0,), lambda _: "AE"))
    return found


def check_published(settings: Settings) -> None:
    """Refuse what the published networks cannot be asked for."""
    if not published.wanted(settings):
        return
    asked = (settings.data, settings.model, settings.strengths, settings.adversarial_epochs)
    if asked != ("mnist", "dense", (0.05,), 0):
        raise UserError(
            "--published: the networks are --data mnist --model dense --strengths 0.05 "
            "--adversarial-epochs 0"
        )


def trained(
    settings: Settings, network: Network, splits: Splits, out: Path
) -> dict[str, training.State]:
    """The runs of one network: trained, or the published ones."""
    if not settings.published:
        return autoencoders.train(settings, network, splits, out)
    whole = autoencoders.whole(settings, network, splits)
    folder, (strength,) = published.folder_of(settings.published_dir), network.strengths
    at = (whole.size, strength, settings.seed_list, whole, splits.train)
    return {"": published.autoencoder(folder, *at)}


def study(settings: Settings) -> None:
    """Train, attack, measure, write and draw."""
    check_published(settings)
    report.show(pathways.study(STUDY, settings, networks(settings), trained))


def main() -> None:
    """Entry point of the script."""
    cli.run(lambda: study(cli.parse(STUDY, PRESETS, description=__doc__)))


if __name__ == "__main__":
    main()
