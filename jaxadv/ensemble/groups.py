"""Ensembles made of ensembles: several joined into one, or one that learns no more."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.ensemble.ensemble import Ensemble, EnsembleOutputs
from jaxadv.ensemble.logits import joined
from jaxadv.errors import UserError
from jaxadv.members import check_indices
from jaxadv.types import Array, Indices, Key, Variables


def mixed(groups: Sequence[Ensemble]) -> Ensemble:
    """Several ensembles joined into one; variables are the tuple of theirs.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> two = ensemble.mixed([ensemble.stacked(each, 1) for each in (models.fc(), models.cnn())])
    >>> x = jnp.zeros((5, 8, 8, 1))
    >>> variables = jax.eval_shape(two.init, jax.random.key(0), x)  # `init` itself, to have them
    >>> jax.eval_shape(two.apply, variables, x)[0].logits.shape  # [M, B, classes]
    (2, 5, 10)

    Raises:
        UserError: if there are none; when applied, if they have different classes.
    """
    _check_ensembles(groups)

    def init(key: Key, x: Array) -> Variables:
        keys = jax.random.split(key, len(groups))
        return tuple(group.init(k, x) for group, k in zip(groups, keys, strict=True))

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        _check_variables(variables, len(groups))
        results = [
            group.apply(v, x, train=train, key=None if key is None else jax.random.fold_in(key, i))
            for i, (group, v) in enumerate(zip(groups, variables, strict=True))
        ]
        outputs, updated = zip(*results, strict=True)
        return _side_by_side(outputs), updated

    owners = [(g, i) for g, group in enumerate(groups) for i in range(group.size)]

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, len(owners))
        _check_variables(variables, len(groups))
        chosen = [owners[index] for index in indices]
        parts = [groups[g].pick(variables[g], (i,)) for g, i in chosen]
        return mixed([part for part, _ in parts]), tuple(v for _, v in parts)

    def put(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
        check_indices(indices, len(owners))
        _check_variables(variables, len(groups))
        _check_variables(chosen, len(indices))
        whole = list(variables)
        for index, part in zip(indices, chosen, strict=True):
            g, i = owners[index]
            whole[g] = groups[g].put(whole[g], (i,), part)
        return tuple(whole)

    cached = min((group.cached for group in groups if group.cached), default=0)
    return Ensemble(init, apply, len(owners), pick, put, cached=cached)


def _side_by_side(outputs: Sequence[EnsembleOutputs]) -> EnsembleOutputs:
    """The outputs of all groups' members, one group after another."""
    return EnsembleOutputs(
        joined(jnp.concatenate, [each.logits for each in outputs]),
        tuple(feature for each in outputs for feature in each.features),
    )


def _check_ensembles(groups: Any) -> None:
    """Refuse what is no list of ensembles.

    Raises:
        UserError: if so.
    """
    listed = isinstance(groups, Sequence) and not isinstance(groups, Ensemble | str) and groups
    if not listed or not all(isinstance(group, Ensemble) for group in groups):
        raise UserError("groups to mix: give a list of ensembles, stacked(model) say")


def _check_variables(variables: Any, count: int) -> None:
    """Refuse what is not the variables of so many groups.

    Raises:
        UserError: if so.
    """
    if not isinstance(variables, tuple | list) or len(variables) != count:
        kind = type(variables).__name__
        raise UserError(f"a {kind} for the variables of {count} groups: give a tuple, one a group")


def frozen(ensemble: Ensemble) -> Ensemble:
    """The same members, finished: in eval mode in training too, and without a gradient.

    Joined by `mixed` with what is to learn: a surrogate, say, from which a new member is to differ.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> read = lambda w, x, train, key: (models.Outputs(x @ w, {"x": x}), w)
    >>> linear = models.Model(lambda key, x: jnp.ones((1, 2)), read, feature="x")
    >>> learning, x = ensemble.stacked(linear, 1), jnp.ones((5, 1))
    >>> w = learning.init(jax.random.key(0), x)
    >>> for each in (learning, ensemble.frozen(learning)):
    ...     print(jax.grad(lambda w: each.apply(w, x, train=True)[0].logits.sum())(w))
    [[[5. 5.]]]
    [[[0. 0.]]]
    """

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        finished = jax.tree.map(lax.stop_gradient, variables)
        return ensemble.apply(finished, x, train=False, key=None)[0], variables

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        chosen, its = ensemble.pick(variables, indices)
        return frozen(chosen), its

    return ensemble._replace(apply=apply, pick=pick)
