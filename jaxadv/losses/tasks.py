"""What the members are trained to do, apart from doing it differently.

A task maps an ensemble's outputs and the batch to the members' losses `[M]` and what to report.
"""

from collections.abc import Callable
from typing import TypeAlias

import chex
import jax.numpy as jnp

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import EnsembleOutputs
from jaxadv.errors import UserError
from jaxadv.losses.classification import accuracy, cross_entropy
from jaxadv.types import Array

Task: TypeAlias = Callable[[EnsembleOutputs, Dataset], tuple[Array, dict[str, Array]]]
"""What members are trained to do: `(outputs, batch) -> (losses [M], metrics)`, scalars by name.

>>> import jax.numpy as jnp
>>> from jaxadv import ensemble, losses
>>> def small(outputs, batch):  # a task of your own: logits near 0
...     return jnp.mean(outputs.logits**2, axis=(1, 2)), {}
>>> task: losses.Task = small
>>> task(ensemble.EnsembleOutputs(jnp.array([[[1.0, 3.0]]]), ()), None)[0].tolist()
[5.0]
"""


def classify(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, dict[str, Array]]:
    """The task of telling classes: each member's mean cross-entropy `[M]`, and the mean accuracy.

    outputs: logits `[M, B, C]`. batch: labels `[B]`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import data, ensemble, losses
    >>> outputs = ensemble.EnsembleOutputs(jnp.zeros((1, 1, 2)), ())
    >>> found, metrics = losses.classify(outputs, data.Dataset(None, jnp.array([0])))
    >>> round(found.item(), 3), metrics["accuracy"].item()  # log 2; a tie goes to class 0
    (0.693, 1.0)

    Raises:
        UserError: if the labels do not fit the logits.
    """
    losses = jnp.mean(cross_entropy(outputs.logits, batch.labels), axis=-1)
    return losses, {"accuracy": jnp.mean(accuracy(outputs.logits, batch.labels))}


def squared_errors(outputs: EnsembleOutputs, images: Array) -> Array:
    """Mean squared error `[M, B]` of each pathway's image against `images [B, H, W, C]`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble, losses
    >>> made = jnp.full((2, 1, 4, 4, 1), 0.5)  # by two pathways, of one image
    >>> outputs = ensemble.EnsembleOutputs(jnp.zeros((2, 1, 10)), (), made)
    >>> losses.squared_errors(outputs, jnp.zeros((1, 4, 4, 1))).tolist()
    [[0.25], [0.25]]

    Raises:
        UserError: if the members make no images.
        AssertionError: if their images are of another shape.
    """
    if outputs.reconstructions is None:
        raise UserError("nothing is reconstructed: give an ensemble of `pathways`")
    chex.assert_shape(images, outputs.reconstructions.shape[1:])
    return jnp.mean((outputs.reconstructions - images) ** 2, axis=(2, 3, 4))


def reconstruct_in(span: float) -> Task:
    """The task of making the batch's images again, for images whose range is so wide.

    Each member's loss is its mean squared error times span². The reported "mse" is the mean over
    the members in [0, 1].

    span: 1 for images in [0, 1]; 2 if the paper's are in [−1, 1], where the same error weighs four
        times as much against λ.

    >>> import jax.numpy as jnp
    >>> from jaxadv import data, ensemble, losses
    >>> made = jnp.full((2, 1, 4, 4, 1), 0.5)
    >>> outputs = ensemble.EnsembleOutputs(jnp.zeros((2, 1, 10)), (), made)
    >>> batch = data.Dataset(jnp.zeros((1, 4, 4, 1)), None)
    >>> found, metrics = losses.reconstruct_in(2)(outputs, batch)
    >>> found.tolist(), metrics["mse"].item()
    ([1.0, 1.0], 0.25)
    """

    def task(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, dict[str, Array]]:
        errors = jnp.mean(squared_errors(outputs, batch.images), axis=1)
        return span**2 * errors, {"mse": jnp.mean(errors)}

    return task


reconstruct = reconstruct_in(1)
"""The task of making the batch's images again (Wiedeman & Wang, Patterns 2022, eq. 9), in [0, 1].

>>> import jax.numpy as jnp
>>> from jaxadv import data, ensemble, losses
>>> made = jnp.full((2, 1, 4, 4, 1), 0.5)
>>> outputs = ensemble.EnsembleOutputs(jnp.zeros((2, 1, 10)), (), made)
>>> losses.reconstruct(outputs, data.Dataset(jnp.zeros((1, 4, 4, 1)), None))[0].tolist()
[0.25, 0.25]
"""
