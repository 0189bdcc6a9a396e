"""Images and weights for the benchmarks: the real ones where they are at hand, said so if not."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.reference_torch.dna import DNA
from benchmarks.reference_torch.models import CNN, FC
from jaxadv import models
from jaxadv.data import load_dataset
from jaxadv.data.dataset import Dataset
from jaxadv.errors import UserError
from jaxadv.types import Variables

NETWORKS = {"cnn": CNN, "fc": FC, "dna": DNA}
PUBLISHED = {"cnn": "cnn_plain_{}.npz", "fc": "fc_plain_{}.npz", "dna": "dna_mnist.npz"}


def mnist(data_dir: Path | None, count: int, split: str = "test") -> Dataset:
    """The first `count` images, float32 in [0, 1]; uniform noise where there are no files."""
    try:
        splits = load_dataset("mnist", "files", data_dir, progress=False)
        images, labels = getattr(splits, split)
        return Dataset(np.float32(images[:count]) / 255, np.asarray(labels[:count]))
    except UserError as error:
        print(f"random images instead of MNIST: {error}", file=sys.stderr)
        rng = np.random.default_rng(0)
        images = rng.uniform(size=(count, 28, 28, 1)).astype(np.float32)
        return Dataset(images, rng.integers(0, 10, count, dtype=np.int32))


def weights_folder(folder: Path | None) -> Path | None:
    """The folder of published weights, if there is one."""
    named = folder or os.environ.get("JAXADV_REFERENCE")
    return Path(named) if named else None


def network(architecture: str, number: int = 1) -> nn.Module:
    """As PyTorch initialises it."""
    torch.manual_seed(number)
    return NETWORKS[architecture]()


def variables_of(network: nn.Module, architecture: str) -> Variables:
    """Our variables with a PyTorch network's weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        np.savez(path, **{name: t.cpu().numpy() for name, t in network.state_dict().items()})
        return models.load_torch_weights(path, architecture)


def trained(
    architecture: str, folder: Path | None, number: int = 1, kind: str = "plain"
) -> tuple[nn.Module, Variables]:
    """A published network in eval mode and our variables; a fresh one without its weights."""
    directory = weights_folder(folder)
    if directory is None:
        print("fresh weights: no --reference folder, no $JAXADV_REFERENCE", file=sys.stderr)
        made = network(architecture, number).eval()
        return made, variables_of(made, architecture)
    path = directory / PUBLISHED[architecture].format(number).replace("plain", kind)
    variables = models.load_torch_weights(path, architecture)
    made = NETWORKS[architecture]()
    with np.load(path) as archive:
        made.load_state_dict({name: torch.tensor(archive[name]) for name in archive.files})
    return made.eval(), variables
