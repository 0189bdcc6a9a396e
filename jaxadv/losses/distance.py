"""Parametric distance: how far apart two networks' weights lie (Patterns 2022, eq. 4)."""

import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.types import Array, PyTree


def squared_distance(params: PyTree) -> Array:
    """‖θ1 − θ2‖² `[]` of two stacked members' parameters (leading axis 2), summed over all.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.squared_distance({'w': jnp.array([[0.0, 0.0], [3.0, 4.0]])}))  # of two members
    25.0
    """
    members = {len(leaf) for leaf in jax.tree.leaves(params)}
    if members != {2}:
        raise UserError(f"parametric distance of {members} members: give parameters of a pair")
    squares = [jnp.sum((leaf[0] - leaf[1]) ** 2) for leaf in jax.tree.leaves(params)]
    return jnp.sum(jnp.stack(squares))


def distance_loss(params: PyTree, target: Array | float) -> Array:
    """(D_t − ‖θ1 − θ2‖²)² `[]`, which draws the squared distance to `target`."""
    return (target - squared_distance(params)) ** 2
