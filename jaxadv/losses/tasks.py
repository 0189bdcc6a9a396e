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


def squared_errors(outputs: EnsembleOutputs, images: Array) -> Array:
    """Mean squared error `[M, B]` of each pathway's image against `images [B, H, W, C]`.

    Raises:
        UserError: if the members make no images.
    """
    if outputs.reconstructions is None:
        raise UserError("nothing is reconstructed: give an ensemble of `pathways`")
    return jnp.mean((outputs.reconstructions - images) ** 2, axis=(2, 3, 4))


def reconstruct_in(span: float) -> Task:
    """The task of making the batch's images again, errors taken in images that span so much.

    span: 1 for [0, 1]; 2 for [−1, 1], where the same error weighs four times heavier against λ.
    Reports the mean error in [0, 1].
    """

    def task(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, dict[str, Array]]:
        errors = jnp.mean(squared_errors(outputs, batch.images), axis=1)
        return span**2 * errors, {"mse": jnp.mean(errors)}

    return task


reconstruct = reconstruct_in(1)
