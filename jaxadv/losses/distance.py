"""Parametric distance: how far apart two networks' weights lie (Patterns 2022, eq. 4)."""

import chex
import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.types import Array, PyTree


def squared_distance(params: PyTree) -> Array:
    """‖θ1 − θ2‖² `[]` of two stacked members' parameters, leaves `[2, …]`, summed over all leaves.

    Wiedeman & Wang, Patterns 2022, eq. 4.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.squared_distance({'w': jnp.array([[0.0, 0.0], [3.0, 4.0]])}))  # of two members
    25.0

    Raises:
        UserError: if the leaves are not those of a pair.
    """
    members = {len(leaf) for leaf in jax.tree.leaves(params)}
    if members != {2}:
        raise UserError(f"parametric distance of {members} members: give parameters of a pair")
    squares = [jnp.sum((leaf[0] - leaf[1]) ** 2) for leaf in jax.tree.leaves(params)]
    return jnp.sum(jnp.stack(squares))


def distance_loss(params: PyTree, target: Array | float) -> Array:
    """(D_t − ‖θ1 − θ2‖²)² `[]`, which draws the squared distance to `target`, D_t `[]`.

    Wiedeman & Wang, Patterns 2022, eq. 4.

    >>> import jax.numpy as jnp
    >>> from jaxadv import losses
    >>> print(losses.distance_loss({'w': jnp.array([[0.0, 0.0], [3.0, 4.0]])}, target=20.0))
    25.0

    Raises:
        UserError: if the parameters are not those of a pair.
        AssertionError: if the target is more than one number.
    """
    chex.assert_rank(target, 0)
    return (target - squared_distance(params)) ** 2
