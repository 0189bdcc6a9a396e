"""Shuffling and batching inside jit: randomness is a function of the key alone."""

import jax
import jax.numpy as jnp

from jaxadv.data.dataset import Dataset, check_image_type
from jaxadv.types import Array, Key


def to_float(images: Array) -> Array:
    """Whole numbers 0…255 to float32 in [0, 1]; float images pass through, as float32.

    Raises:
        UserError: if they are of another type.
    """
    check_image_type(images)
    if jnp.issubdtype(images.dtype, jnp.integer):
        return images.astype(jnp.float32) / 255
    return jnp.asarray(images, jnp.float32)


def epoch_indices(key: Key, count: int, batch_size: int) -> Array:
    """A fresh permutation cut into `[count // batch_size, batch_size]`; the remainder is left out.

    Every batch has one size, so a regression over it has the samples it needs.
    """
    steps = count // batch_size
    return jax.random.permutation(key, count)[: steps * batch_size].reshape(steps, batch_size)


def take(dataset: Dataset, indices: Array) -> Dataset:
    """The batch at `indices [B]`, images as float32 in [0, 1]."""
    return Dataset(to_float(dataset.images[indices]), dataset.labels[indices])
