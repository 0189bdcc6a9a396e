"""Studies of the dual-neck autoencoder: settings, networks, and how these are trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments.frame import parts, settings, trials
from experiments.frame.grid import Cohort, Variant
from experiments.frame.job import Job
from experiments.frame.measure import features
from experiments.frame.measure import pathways as of_pathways
from experiments.frame.measure.pathways import ON_FGSM
from experiments.frame.parts import Measured
from experiments.frame.settings import Batch, Count
from experiments.frame.trials import Trial
from jaxadv import attacks, models, training
from jaxadv.attacks import example_keys, fgsm
from jaxadv.data import Dataset, Splits
from jaxadv.data.augment import cropped, mirrored
from jaxadv.defences import decorrelation, regularised
from jaxadv.defences.regularised import Shown
from jaxadv.ensemble import Ensemble, pathways, predict
from jaxadv.losses import check_regression, reconstruct_in
from jaxadv.models import Autoencoder, Model
from jaxadv.training import State
from jaxadv.training.loop import check_batch_size
from jaxadv.types import Array, Key, Variables

AFTER = "-fgsm"  # ends the names of cohorts that were trained on FGSM images at last


@dataclass(frozen=True)
class Training(settings.Training):
    """How autoencoders and the classifiers of their reconstructions are trained."""

    model: Literal["dense", "residual"] = "dense"
    """Architecture: dense (the paper's for MNIST) or residual (for CIFAR-10)."""
    strengths: tuple[float, ...] = (0.05, 0.0)
    """λ of the correlation loss on the necks' features."""
    ridge: float = 1.2e-4
    """Ridge relative to the largest singular value; 0 is exact least squares."""
    epochs: Count = 40
    """Training epochs of the autoencoder."""
    classifier_epochs: Count = 40
    """Training epochs of the classifier on the finished autoencoder's reconstructions."""
    batch_size: Batch = 500
    """Images a batch of the autoencoder's; must exceed the bottleneck's width + 1."""
    classifier_batch_size: Batch = 500
    """Images a batch of the classifier's, each in as many reconstructions as there are necks."""
    learning_rate: float = 5e-4
    """Of Adam."""
    augment: bool = False
    """Crop after padding by 4, and mirror, at random, in training."""
    adversarial_epochs: int = 0
    """Weak adversarial training: so many epochs more, reconstructing the natural image from its
    FGSM version; 0 is none."""
    adversarial_eps: float = 0.1
    """Radius of that FGSM, linf, image range [0, 1]."""


@dataclass(frozen=True)
class Attacks(settings.Pgd):
    """FGSM and PGD on the classification."""

    attacks: tuple[Literal["fgsm", "pgd"], ...] = ("fgsm", "pgd")
    """Attacks on the classification, linf."""
    combine: tuple[Literal["loss", "squares", "min", "single"], ...] = ("loss", "min", "single")
    """What is raised: the sum of the pathways' losses, of their squares, the least of them (the
    strongest against all), or one pathway's at a time."""


# Presets of every study, beside what is its own.
QUICK: dict[str, Any] = {
    "seeds": 2,
    "epochs": 10,
    "classifier_epochs": 3,
    "pgd_examples": 500,
}
SMOKE: dict[str, Any] = {
    "dataset": "digits",
    "seeds": 2,
    "epochs": 10,
    "classifier_epochs": 5,
    "batch_size": 72,
    "classifier_batch_size": 72,
    "learning_rate": 5e-3,
    "attacks": ("pgd",),
    "eps": (0.1,),
    "pgd_steps": 20,
    "pgd_examples": 120,
}


class Network(NamedTuple):
    """One architecture of a study.

    name: of its checkpoints. autoencoder. strengths: λ of its runs.
    title: of a run in rows and figures, from its λ. pictured: whether examples of it are shown.
    """

    name: str
    autoencoder: Autoencoder
    strengths: tuple[float, ...]
    title: Callable[[float], str]
    pictured: bool = False


def cohorts(networks: Sequence[Network], training: Training, splits: Splits) -> list[Cohort]:
    """The runs of each network as they are, and, if asked for, after FGSM images."""
    found = []
    for network in networks:
        ensemble = pathways(network.autoencoder, classifier(training, splits))
        for after, on in (("", ""), (AFTER, ON_FGSM))[: 1 + bool(training.adversarial_epochs)]:
            variants = [
                Variant(
                    network.title(strength) + on, {"strength": strength}, {"strength": strength}
                )
                for strength in network.strengths
            ]
            found.append(Cohort(network.name + after, network.name, ensemble, variants, network))
    return found


def classifier(training: Training, splits: Splits) -> Model:
    """The classifier that belongs to the architecture."""
    make = {"dense": models.dna_classifier, "residual": models.residual_classifier}
    return make[training.model](len(splits.class_names))


def check_sizes(settings: Any, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse batches and data too small for regressions before the first network is trained."""
    asked = settings.training
    check_batch_size(asked.classifier_batch_size, splits.train)
    for cohort in cohorts:
        if cohort.ensemble.size > 1:
            features.check_samples(cohort.ensemble, splits)
            if any(cohort.own.strengths) and settings.place.from_dir is None:
                width = features.feature_width(cohort.ensemble, splits.train)
                check_regression(asked.batch_size, width)


def _augmented(state: State, batch: Dataset, key: Key) -> Dataset:
    crop, mirror = jax.random.split(key)
    return batch._replace(images=mirrored(cropped(batch.images, crop), mirror))


def _part(name: str) -> Callable[[tuple[Any, ...]], bool]:
    return lambda path: path[0].key == name and path[1].key == "params"


def _perturbed(ensemble: Ensemble, eps: float) -> Shown:
    """The batch's FGSM version, against all pathways at once."""
    attack = fgsm(jnp.asarray(eps))

    def shown(variables: Variables, batch: Dataset, key: Key) -> Array:
        direction = attacks.joint(predict(ensemble, variables), batch.labels)
        keys = example_keys(key, jnp.arange(len(batch.labels)))
        return attack(direction, jnp.asarray(batch.images), keys)

    return shown


def train(job: Job[Any]) -> State:
    """The trained runs of a network: as they are, or after FGSM images.

    First the autoencoder, then the classifier on its reconstructions, then, on FGSM images, the
    autoencoder again: the classifier is not trained on these.
    """
    asked, network = job.settings.training, job.cohort.own
    reader, optimizer = classifier(asked, job.splits), optax.adam(asked.learning_rate)
    encoding = pathways(network.autoencoder, reader, "autoencoder")
    encode = partial(
        decorrelation,
        encoding,
        optimizer,
        task=reconstruct_in(2 if asked.model == "residual" else 1),
        joined="root_sum_square",
        trainable=_part("autoencoder"),
        ridge=asked.ridge,
    )

    def stage(
        name: str, ensemble: Ensemble, phase: Any, state: State | None, **options: Any
    ) -> State:
        phases = [phase._replace(transform=_augmented) if asked.augment else phase]
        onward = None if state is None else training.onward(state, phases)
        return job.trained(phases, onward, stage=name, ensemble=ensemble, **options)

    if job.cohort.name.endswith(AFTER):
        name = job.cohort.name.removesuffix(AFTER)
        finished = train(job.of(job.cohort._replace(name=name)))
        shown, epochs = _perturbed(encoding, asked.adversarial_eps), asked.adversarial_epochs
        return stage("autoencoder", encoding, encode(shown=shown), finished, epochs=epochs)
    reading = pathways(network.autoencoder, reader, "classifier")
    read = regularised(reading, optimizer, trainable=_part("classifier"))
    return stage(
        "classifier",
        reading,
        read,
        stage("autoencoder", encoding, encode(), None),
        epochs=asked.classifier_epochs,
        batch_size=asked.classifier_batch_size,
        watch=False,  # which reads finished features
    )


def attacks_of(chosen: Attacks) -> list[Trial]:
    """FGSM and PGD, linf, with the pathways joined in every way asked for."""
    known = {"fgsm": trials.fgsm_trial(chosen.eps), "pgd": trials.pgd_trial(chosen)}
    return [
        trial
        for name in chosen.attacks
        for trial in of_pathways.each_combined(known[name], chosen.combine)
    ]


def measured(job: Job[Any], state: State) -> Measured:
    """The pathways on natural images and under every attack, and pictures of one network."""
    found = [of_pathways.measured(job, state)]
    if job.cohort.own.pictured and not job.cohort.name.endswith(AFTER):
        found.append(of_pathways.pictures(job, state))
    return parts.together(found)
