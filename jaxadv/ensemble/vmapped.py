"""Members of one architecture: their variables side by side, their passes under `vmap`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.ensemble.ensemble import Ensemble, EnsembleOutputs
from jaxadv.ensemble.logits import logits_of
from jaxadv.errors import UserError
from jaxadv.members import check_indices, check_members, shapes_of
from jaxadv.models.model import Model
from jaxadv.types import Array, Indices, Key, Variables


def stacked(model: Model, size: int = 2) -> Ensemble:
    """`size` members of one architecture, one pytree with a leading member axis, under `vmap`.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> pair, x = ensemble.stacked(models.fc(10), size=2), jnp.zeros((5, 8, 8, 1))
    >>> variables = jax.eval_shape(pair.init, jax.random.key(0), x)  # `init` itself, to have them
    >>> variables["params"]["linear"]["kernel"].shape  # [M, …]
    (2, 100, 10)
    >>> jax.eval_shape(pair.apply, variables, x)[0].logits.shape  # [M, B, classes]
    (2, 5, 10)

    Raises:
        UserError: what is no model, or a size that is no whole number from 1 on; when applied,
            variables of other members, or a model without logits or features.
    """
    _check(model, size)

    def init(key: Key, x: Array) -> Variables:
        return jax.vmap(lambda k: model.init(k, x))(jax.random.split(key, size))

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        check_members(variables, size)

        def one(member_variables: Variables, index: Array) -> tuple[Array, Array, Variables]:
            member_key = None if key is None else jax.random.fold_in(key, index)
            return _outputs(model, member_variables, x, train, member_key)

        logits, feature, updated = jax.vmap(one)(variables, jnp.arange(size))
        return EnsembleOutputs(logits, tuple(feature)), updated

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, size)
        check_members(variables, size)
        chosen = jax.tree.map(lambda leaf: leaf[jnp.asarray(indices)], variables)
        return stacked(model, len(indices)), chosen

    def put(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
        check_indices(indices, size)
        check_members(variables, size)
        check_members(chosen, len(indices))
        _check_alike(variables, chosen)
        places = jnp.asarray(indices)
        return jax.tree.map(lambda all_, some: all_.at[places].set(some), variables, chosen)

    return Ensemble(init, apply, size, pick, put, alike=True, cached=model.cached)


def _outputs(
    model: Model, variables: Variables, x: Array, train: bool, key: Key | None
) -> tuple[Array, Array, Variables]:
    """One member's logits `[B, C]`, features `[B, D]` and updated variables.

    Raises:
        UserError: if the model has no such features, or no logits.
    """
    outputs, updated = model.apply(variables, x, train=train, key=key)
    if model.feature not in outputs.taps:
        raise UserError(f"feature {model.feature!r}: the model has {sorted(outputs.taps)}")
    feature = outputs.taps[model.feature]
    return logits_of(outputs), feature.reshape(feature.shape[0], -1), updated


def _check(model: Any, size: Any) -> None:
    """Refuse what is no model, and no number of members.

    Raises:
        UserError: if so.
    """
    if not isinstance(model, Model):
        raise UserError(
            f"a {type(model).__name__} for a model: give models.from_linen(module), or functions "
            "to `callables`"
        )
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise UserError(f"an ensemble of {size} members: give at least 1")


def _check_alike(variables: Variables, chosen: Variables) -> None:
    """Refuse variables of some members that are not of the architecture of all.

    Raises:
        UserError: if so.
    """
    alike = str(jax.tree.structure(variables)) == str(jax.tree.structure(chosen))
    pairs = zip(shapes_of(variables), shapes_of(chosen), strict=False)
    if not alike or any(old[1:] != new[1:] for old, new in pairs):
        raise UserError("variables of another architecture: give what `pick` gave, or its like")
