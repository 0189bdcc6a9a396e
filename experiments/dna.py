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

from dataclasses import dataclass

from experiments.frame import answers, autoencoders, pathway_figures, published, settings
from experiments.frame.autoencoders import QUICK, SMOKE, Network
from experiments.frame.grid import Cohort
from experiments.frame.job import Job
from experiments.frame.run import main
from experiments.frame.study import Study
from experiments.frame.trials import Trial
from jaxadv import models
from jaxadv.data import Splits
from jaxadv.errors import UserError
from jaxadv.models import Autoencoder
from jaxadv.training import State


@dataclass(frozen=True)
class Training(autoencoders.Training):
    """How the networks come to be."""

    published: bool = False
    """Take the authors' published MNIST networks; the seeds decide what is drawn in the attacks."""


@dataclass(frozen=True)
class Settings(settings.Settings):
    """The dual-neck autoencoder against a plain one: train, attack, measure what any neck saves."""

    baseline: bool = True
    """Also train the plain autoencoder, AE."""
    place: published.Place = published.Place()
    training: Training = Training()
    attacks: autoencoders.Attacks = autoencoders.Attacks()


PRESETS = {
    "paper": (PAPER := Settings().but(adversarial_epochs=2)),
    "quick": PAPER.but(**QUICK, adversarial_epochs=1),
    "smoke": PAPER.but(
        **SMOKE,
        strengths=(0.005, 0.0),
        adversarial_epochs=0,
        combine=("loss", "min"),
        baseline=False,
    ),
    "cifar": (
        CIFAR := PAPER.but(
            dataset="cifar10",
            model="residual",
            augment=True,
            batch_size=1250,
            eps=(2 / 255, 4 / 255, 8 / 255),
            pgd_step_size=2 / 255,
            adversarial_epochs=0,
        )
    ),
    "cifar-quick": CIFAR.but(
        seeds=1,
        train_examples=5000,
        epochs=4,
        classifier_epochs=2,
        batch_size=500,
        classifier_batch_size=100,
        pgd_steps=10,
        pgd_examples=100,
        attacks=("pgd",),
        combine=("loss", "min"),
    ),
}


def autoencoder(settings: Settings, necks: int) -> Autoencoder:
    """The autoencoder of the architecture asked for."""
    return {"dense": models.dna, "residual": models.residual_dna}[settings.training.model](necks)


def cohorts(settings: Settings, splits: Splits) -> list[Cohort]:
    """The DNA with each λ, and the AE."""
    training, title = settings.training, "DNA λ={:g}".format
    networks = [Network("dna", autoencoder(settings, 2), training.strengths, title, pictured=True)]
    if settings.baseline:
        networks.append(Network("ae", autoencoder(settings, 1), (0.0,), lambda _: "AE"))
    return autoencoders.cohorts(networks, training, splits)


def train(job: Job[Settings]) -> State:
    """The runs of one network: trained, or the published ones."""
    if not job.settings.training.published:
        return autoencoders.train(job)
    folder = published.folder_of(job.settings.place.published_dir)
    return published.autoencoder(folder, job)


def trials(settings: Settings, splits: Splits) -> list[Trial]:
    """FGSM and PGD on the pathways joined in every way."""
    return autoencoders.attacks_of(settings.attacks)


def check_settings(settings: Settings) -> None:
    """Refuse other networks than are published."""
    if published.wanted(settings):
        training, dataset = settings.training, settings.data.dataset
        asked = (dataset, training.model, training.strengths, training.adversarial_epochs)
        if asked != ("mnist", "dense", (0.05,), 0):
            raise UserError(
                "--published: the networks are --data mnist --model dense --strengths 0.05 "
                "--adversarial-epochs 0"
            )


STUDY = Study(
    name="dna",
    paper="Wiedeman & Wang (Patterns 2022), Figs 6 to 9",
    presets=PRESETS,
    cohorts=cohorts,
    train=train,
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
    minutes={"smoke": 1, "paper": 120, "cifar-quick": 30, "cifar": "for a GPU"},
)

if __name__ == "__main__":
    main(STUDY)
