"""What the members are trained to do, apart from doing it differently.

A task maps an ensemble's outputs and the batch to the members' losses `[M]` and what to report.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import EnsembleOutputs
from jaxadv.errors import UserError
from jaxadv.losses.classification import accuracy, cross_entropy
from jaxadv.types import Array

Task: TypeAlias = Callable[[EnsembleOutputs, Dataset], tuple[Array, dict[str, Array]]]


def classify(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, dict[str, Array]]:
    """Mean cross-entropy of each member; reports the members' mean accuracy."""
    losses = jnp.mean(cross_entropy(outputs.logits, batch.labels), axis=-1)
    return losses, {"accuracy": jnp.mean(accuracy(outputs.logits, batch.labels))}


def reconstruct(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, dict[str, Array]]:
    """Mean squared error of each pathway's image; reports the mean.

    Raises:
        UserError: if the members make no images.
    """
    if outputs.reconstructions is None:
        raise UserError("nothing is reconstructed: give an ensemble of `pathways`")
    errors = jnp.mean((outputs.reconstructions - batch.images) ** 2, axis=(1, 2, 3, 4))
    return errors, {"mse": jnp.mean(errors)}
