"""The authors' published networks as runs: from a clone of their repository, or from `.npz` files.

docs/published_weights.md says where they are.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from experiments.frame import grid, settings
from experiments.frame.job import Job
from experiments.frame.settings import typed
from jaxadv import training
from jaxadv.ensemble import stack
from jaxadv.errors import UserError
from jaxadv.models import load_torch_weights
from jaxadv.training import State
from jaxadv.types import Variables

SOURCE = "https://github.com/WANG-AXIS/DNA"
THEIRS = {"plain": "cor", "decorrelated": "dec"}  # what the authors call each kind of pair
PAIRS = (
    "{architecture}_{kind}_{number}.npz",
    "classifier_exp/saved_models/{folder}/{theirs}{number}",  # in a clone
    "saved_models/{folder}/{theirs}{number}",
    "{theirs}{number}",
)
AUTOENCODERS = (
    ("{name}_mnist.npz", "{name}_mnist_classifier.npz"),
    ("DNA_exp/mnist_exp/models/{name}", "DNA_exp/mnist_exp/models/cls_{name}"),
    ("mnist_exp/models/{name}", "mnist_exp/models/cls_{name}"),
    ("{name}", "cls_{name}"),
)


# What the training of pairs is set by, which published ones have behind them.
OF_PAIRS = ("epochs", "joined", "regress", "ridge", "sketch_width", "delay_epochs", "ramp_epochs")


@dataclass(frozen=True)
class Place(settings.Place):
    """Where the published networks are, too."""

    published_dir: Path | None = None
    """Folder of these: a clone of the authors' repository, or .npz files; default
    $JAXADV_REFERENCE."""


def wanted(settings: Any) -> bool:
    """Whether a study with settings `published` and `published_dir` is to begin at these.

    Raises:
        UserError: if a folder is named for nothing, or another run is to be begun at too.
    """
    place, asked = settings.place, settings.training.published
    if asked and place.from_dir is not None:
        raise UserError(f"--published --from {place.from_dir}: begin at one of the two")
    if place.published_dir is not None and not asked:
        raise UserError(f"--published-dir {place.published_dir}: add --published")
    return bool(asked)


def check_pairs(settings: Any, usual: Any, models: Sequence[str]) -> None:
    """Refuse what published pairs of these architectures cannot be asked for.

    usual: the preset's settings.

    Raises:
        UserError: if so.
    """
    training = settings.training
    known = set(settings.models) <= set(models) and set(training.strengths) <= {0.0, 0.05}
    if settings.data.dataset != "mnist" or not known:
        words = " or ".join(models)
        raise UserError(
            f"--published: the pairs are --data mnist --models {words} --strengths 0 0.05"
        )
    for name in OF_PAIRS:
        value = getattr(training, name)
        if value != getattr(usual.training, name):
            raise UserError(f"{typed(settings, name)} {value}: published pairs are trained already")


def folder_of(named: Path | None) -> Path:
    """The folder of the networks: the one named, else $JAXADV_REFERENCE, else ./reference."""
    return named or Path(os.environ.get("JAXADV_REFERENCE") or "reference")


def _first_whole(ways: Iterable[list[Path]], what: str) -> list[Path]:
    """The files of the first way to name them of which all are there.

    Raises:
        UserError: if there is none, with the first that lacks in the way that lacks least.
    """
    lacking = {tuple(files): [path for path in files if not path.is_file()] for files in ways}
    files, lost = min(lacking.items(), key=lambda item: len(item[1]))
    if lost:
        raise UserError(
            f"{lost[0]}: no such file; --published-dir or JAXADV_REFERENCE names a clone of the "
            f"authors' repository, {SOURCE}, or a folder with {what}; see "
            "docs/published_weights.md"
        )
    return list(files)


def pair_files(folder: Path, kinds: Sequence[str], architecture: str = "cnn") -> list[Path]:
    """The files of networks 1 and 2 of each kind, all of them there, and named in one way.

    Raises:
        UserError: if they are not, with where they come from.
    """

    def files(layout: str) -> list[Path]:
        return [
            folder
            / layout.format(
                architecture=architecture,
                folder=architecture.upper(),
                kind=kind,
                theirs=THEIRS[kind],
                number=number,
            )
            for kind in kinds
            for number in (1, 2)
        ]

    ours = ", ".join(path.name for path in files(PAIRS[0]))
    return _first_whole(map(files, PAIRS), f"their cor1, cor2, dec1 and dec2, or {ours}")


def pairs(folder: Path, job: Job[Any], strengths: Sequence[float]) -> State:
    """The plain pair (λ = 0) and the decorrelated one as runs: every λ by every seed.

    Raises:
        UserError: if they are not there, with where they come from, or are other networks.
    """
    architecture = job.cohort.model
    kinds = ["decorrelated" if strength else "plain" for strength in strengths]
    files = pair_files(folder, kinds, architecture)
    members = [load_torch_weights(path, architecture) for path in files]
    return _runs([stack(members[i : i + 2]) for i in range(0, len(members), 2)], job)


def autoencoder(folder: Path, job: Job[Any]) -> State:
    """The dual-neck autoencoder (two members) or the plain one, with its classifier, as runs.

    Raises:
        UserError: if they are not there, with where they come from, or are other networks.
    """
    name = "dna" if job.ensemble.size > 1 else "ae"
    ways = [[folder / part.format(name=name) for part in way] for way in AUTOENCODERS]
    ours = " and ".join(path.name for path in ways[0])
    encoder, reader = _first_whole(ways, ours)
    variables = {
        "autoencoder": load_torch_weights(encoder, name),
        "classifier": load_torch_weights(reader, "dna_classifier"),
    }
    return _runs([variables], job)


def _runs(networks: Sequence[Variables], job: Job[Any]) -> State:
    """One network a variant, by every seed, which decides no more than the attacks' draws."""
    variants, seeds = job.cohort.variants, job.settings.seed_list
    every, varied = grid.seeds_of(variants, seeds), grid.varied_of(variants, seeds)
    state = training.init(job.ensemble.init, [], job.splits.train, every, varied)
    whole = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(seeds), axis=0), whole)
    return state._replace(variables=repeated)
