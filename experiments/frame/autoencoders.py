"""Studies of the dual-neck autoencoder: settings, networks, and how these are trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import cli, features
from experiments.train import trained
from jaxadv import attacks, models, training
from jaxadv.attacks import example_keys, fgsm
from jaxadv.data import Dataset, Splits
from jaxadv.data.augment import cropped, mirrored
from jaxadv.defences import decorrelation, regularised
from jaxadv.defences.regularised import Shown
from jaxadv.ensemble import Ensemble, pathways, predict
from jaxadv.losses import check_regression, reconstruct_in
from jaxadv.models import Autoencoder, Model
from jaxadv.training import Phase, State
from jaxadv.types import Array, Key, Variables

ON_FGSM = " + FGSM"  # ends the names of networks that were trained on FGSM images at last


@dataclass(frozen=True)
class Settings(cli.Common):
    """Settings of every study of autoencoders."""

    model: Literal["dense", "residual"] = "dense"
    """Architecture: dense (the paper's for MNIST) or residual (for CIFAR-10)."""
    strengths: tuple[float, ...] = (0.05, 0.0)
    """λ of the correlation loss on the necks' features."""
    ridge: float = 1.2e-4
    """Ridge relative to the largest singular value; 0 is exact least squares."""
    epochs: int = 40
    """Training epochs of the autoencoder."""
    classifier_epochs: int = 40
    """Training epochs of the classifier on the finished autoencoder's reconstructions."""
    batch_size: int = 500
    """Images a batch of the autoencoder's; must exceed the bottleneck's width + 1."""
    classifier_batch_size: int = 500
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
    attacks: tuple[Literal["fgsm", "pgd"], ...] = ("fgsm", "pgd")
    """Attacks on the classification, linf."""
    directions: tuple[Literal["sum", "squares", "min", "single"], ...] = ("sum", "min", "single")
    """What is raised: the sum of the pathways' losses, of their squares, the least of them (the
    strongest against all), or one pathway's at a time."""
    eps: tuple[float, ...] = (0.05, 0.1, 0.15)
    """Attack radii, linf, image range [0, 1]."""
    pgd_steps: int = 40
    """Steps of PGD."""
    pgd_step_size: float = 3 / 255
    """Step of PGD, linf, image range [0, 1]."""
    pgd_examples: int = 2000
    """PGD on so many test images, evenly spaced; 0, or more than there are, is all. FGSM always
    takes all."""


# Presets of every study, beside what is its own.
QUICK: dict[str, Any] = {
    "preset": "quick",
    "seeds": 2,
    "epochs": 10,
    "classifier_epochs": 3,
    "pgd_examples": 500,
}
SMOKE: dict[str, Any] = {
    "preset": "smoke",
    "data": "digits",
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
    title: of a run in rows and figures, from its λ.
    """

    name: str
    autoencoder: Autoencoder
    strengths: tuple[float, ...]
    title: Callable[[float], str]


def classifier(settings: Settings, splits: Splits) -> Model:
    """The classifier that belongs to the architecture."""
    make = {"dense": models.dna_classifier, "residual": models.residual_classifier}
    return make[settings.model](len(splits.class_names))


def whole(settings: Settings, network: Network, splits: Splits) -> Ensemble:
    """A network's pathways with their classifier."""
    return pathways(network.autoencoder, classifier(settings, splits))


def check_sizes(settings: Settings, networks: Sequence[Network], splits: Splits) -> None:
    """Refuse batches and data too small for regressions before the first network is trained."""
    for size in (settings.batch_size, settings.classifier_batch_size):
        training.check_batch_size(size, splits.train)
    for network in networks:
        ensemble = whole(settings, network, splits)
        if ensemble.size > 1:
            features.check_samples(ensemble, splits)
            if any(network.strengths) and settings.from_dir is None:
                width = features.feature_width(ensemble, splits.train)
                check_regression(settings.batch_size, width)


def _augmented(state: State, batch: Dataset, key: Key) -> Dataset:
    crop, mirror = jax.random.split(key)
    return batch._replace(images=mirrored(cropped(batch.images, crop), mirror))


def _part(name: str) -> Callable[[tuple[Any, ...]], bool]:
    return lambda path: path[0].key == name and path[1].key == "params"


def _perturbed(ensemble: Ensemble, eps: float) -> Shown:
    """The batch's FGSM version, against all pathways at once."""
    attack = fgsm(jnp.asarray(eps))

    def shown(variables: Variables, batch: Dataset, key: Key) -> Array:
        direction = attacks.ensemble(predict(ensemble, variables), batch.labels)
        keys = example_keys(key, jnp.arange(len(batch.labels)))
        return attack(direction, jnp.asarray(batch.images), keys)

    return shown


def train(settings: Settings, network: Network, splits: Splits, out: Path) -> dict[str, State]:
    """The trained runs, every strength by every seed: as they are, and after FGSM if asked for.

    First the autoencoder, then the classifier on its reconstructions, then, on FGSM images, the
    autoencoder again: the classifier is not trained on these.
    """
    reader, rate = classifier(settings, splits), settings.learning_rate
    encoding = pathways(network.autoencoder, reader, "autoencoder")
    reading = pathways(network.autoencoder, reader, "classifier")
    autoencoder = partial(
        decorrelation,
        encoding,
        optax.adam(rate),
        task=reconstruct_in(2 if settings.model == "residual" else 1),
        joined="root_sum_square",
        trainable=_part("autoencoder"),
        ridge=settings.ridge,
    )
    stages = {
        "autoencoder": (encoding, autoencoder(), settings.epochs, settings.batch_size),
        "classifier": (
            reading,
            regularised(reading, optax.adam(rate), trainable=_part("classifier")),
            settings.classifier_epochs,
            settings.classifier_batch_size,
        ),
    }
    if settings.adversarial_epochs:
        shown = _perturbed(encoding, settings.adversarial_eps)
        epochs, size = settings.adversarial_epochs, settings.batch_size
        stages["adversarial"] = (encoding, autoencoder(shown=shown), epochs, size)

    def stage(name: str, state: State | None) -> State:
        ensemble, phase, epochs, batch_size = stages[name]
        phases = [phase._replace(transform=_augmented) if settings.augment else phase]
        if state is None:
            begun = _begin(settings, network, encoding, phases, splits)
        else:
            begun = training.onward(state, phases)
        return trained(
            f"{network.name}-{name}",
            ensemble,
            phases,
            begun,
            splits.train,
            epochs=epochs,
            batch_size=batch_size,
            directory=out,
            reuse=settings.from_dir,
            at_once=settings.runs_at_once,
            watch=name != "classifier",  # which reads finished features
        )

    finished = stage("classifier", stage("autoencoder", None))
    if not settings.adversarial_epochs:
        return {"": finished}
    return {"": finished, ON_FGSM: stage("adversarial", finished)}


def _begin(
    settings: Settings,
    network: Network,
    ensemble: Ensemble,
    phases: Sequence[Phase],
    splits: Splits,
) -> State:
    seeds = settings.seed_list * len(network.strengths)
    strengths = np.repeat(network.strengths, settings.seeds)
    return training.init(ensemble.init, phases, splits.train, seeds, {"strength": strengths})


def runs_of(network: Network, state: State, trained_on: str) -> list[dict[str, Any]]:
    """The keys of every run's rows."""
    return [
        {
            "model": network.name,
            "defence": network.title(float(strength)) + trained_on,
            "strength": float(strength),
            "seed": int(seed),
        }
        for strength, seed in zip(state.settings["strength"], state.seed, strict=True)
    ]
