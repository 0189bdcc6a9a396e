"""Random crops and mirror images inside jit, each example by a key of its own."""

import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.types import Array, Key


def cropped(images: Array, key: Key, margin: int = 4) -> Array:
    """Each of `[B, H, W, C]` moved by up to `margin` pixels both ways, zeros moving in."""
    sides = ((margin, margin), (margin, margin), (0, 0))

    def one(image: Array, key: Key) -> Array:
        row, column = jax.random.randint(key, (2,), 0, 2 * margin + 1)
        return lax.dynamic_slice(jnp.pad(image, sides), (row, column, 0), image.shape)

    return jax.vmap(one)(images, jax.random.split(key, len(images)))


def mirrored(images: Array, key: Key) -> Array:
    """Each of `[B, H, W, C]` left to right with probability one half."""
    turned = jax.random.bernoulli(key, shape=(len(images), 1, 1, 1))
    return jnp.where(turned, images[:, :, ::-1], images)
