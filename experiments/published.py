"""The authors' published networks as runs: from a clone of their repository, or from `.npz` files.

docs/published_weights.md says where they are.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv import training
from jaxadv.data import Dataset
from jaxadv.ensemble import Ensemble, stack
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


def wanted(settings: Any) -> bool:
    """Whether a study with settings `published` and `published_dir` is to begin at these.

    Raises:
        UserError: if a folder is named for nothing, or another run is to be begun at too.
    """
    if settings.published and settings.from_dir is not None:
        raise UserError(f"--published --from {settings.from_dir}: begin at one of the two")
    if settings.published_dir is not None and not settings.published:
        raise UserError(f"--published-dir {settings.published_dir}: add --published")
    return settings.published


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


def pairs(
    folder: Path,
    architecture: str,
    strengths: Sequence[float],
    seeds: Sequence[int],
    ensemble: Ensemble,
    data: Dataset,
) -> State:
    """The plain pair (λ = 0) and the decorrelated one as runs: every λ by every seed.

    Raises:
        UserError: if they are not there, with where they come from, or are other networks.
    """
    kinds = ["decorrelated" if strength else "plain" for strength in strengths]
    files = pair_files(folder, kinds, architecture)
    members = [load_torch_weights(path, architecture) for path in files]
    networks = [stack(members[i : i + 2]) for i in range(0, len(members), 2)]
    return _runs(networks, strengths, seeds, ensemble, data)


def autoencoder(
    folder: Path, necks: int, strength: float, seeds: Sequence[int], whole: Ensemble, data: Dataset
) -> State:
    """The dual-neck autoencoder (2 necks) or the plain one, with its classifier, as runs.

    Raises:
        UserError: if they are not there, with where they come from, or are other networks.
    """
    name = "dna" if necks > 1 else "ae"
    ways = [[folder / part.format(name=name) for part in way] for way in AUTOENCODERS]
    ours = " and ".join(path.name for path in ways[0])
    encoder, reader = _first_whole(ways, ours)
    variables = {
        "autoencoder": load_torch_weights(encoder, name),
        "classifier": load_torch_weights(reader, "dna_classifier"),
    }
    return _runs([variables], [strength], seeds, whole, data)


def _runs(
    networks: Sequence[Variables],
    strengths: Sequence[float],
    seeds: Sequence[int],
    ensemble: Ensemble,
    data: Dataset,
) -> State:
    """Each network by every seed, which decides no more than the attacks' draws."""
    varied = {"strength": np.repeat(strengths, len(seeds))}
    state = training.init(ensemble.init, [], data, list(seeds) * len(networks), varied)
    whole = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(seeds), axis=0), whole)
    return state._replace(variables=repeated)
