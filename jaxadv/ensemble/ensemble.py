"""An ensemble is anything that maps `x` to logits `[M, B, C]` and M feature arrays.

`stacked` holds members of one architecture as one pytree with a leading member axis, `mixed` joins
several stacked groups, `pathways` takes the necks of one autoencoder, `callables` takes functions
that are already trained. Losses, attacks and evaluation see only `Ensemble`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxadv.checks import numbers
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_labels
from jaxadv.errors import UserError
from jaxadv.members import (  # noqa: F401 (names of this module too)
    check_indices,
    check_members,
    member,
    shapes_of,
    stack,
)
from jaxadv.models.autoencoders import Autoencoder
from jaxadv.models.functions import plain_function
from jaxadv.models.model import Model, Outputs
from jaxadv.types import Array, Indices, Key, Predict, Variables


class EnsembleOutputs(NamedTuple):
    """One forward pass of M members.

    logits: `[M, B, C]`.
    features: M arrays `[B, D_m]`, flattened; the layer the paper decorrelates.
    reconstructions: `[M, B, H, W, C]` where the members make images.
    """

    logits: Array
    features: tuple[Array, ...]
    reconstructions: Array | None = None


class Ensemble(NamedTuple):
    """M networks as two pure functions.

    init: `(key, x) -> variables`.
    apply: `(variables, x, *, train, key) -> (EnsembleOutputs, variables)`.
    size: M.
    pick: `(variables, indices) -> (Ensemble, variables)`, some of the members as an ensemble of
        their own: attacking one member then costs one member.
    put: `(variables, indices, chosen) -> variables`, the inverse of `pick`: some members' variables
        in place of the old ones.
    alike: whether the members share one architecture; `indices` may then be traced.
    cached: images at once that suit a CPU's cache, the least of the members'; 0 if any do.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[EnsembleOutputs, Variables]]
    size: int
    pick: Callable[[Variables, Indices], tuple["Ensemble", Variables]]
    put: Callable[[Variables, Indices, Variables], Variables]
    alike: bool = False
    cached: int = 0


def predict(ensemble: Ensemble, variables: Variables) -> Predict:
    """The ensemble in eval mode as a plain function `x [B, …] -> logits [M, B, C]`."""
    return lambda x: ensemble.apply(variables, x, train=False, key=None)[0].logits


def check_ensemble(ensemble: Any) -> None:
    """Refuse what is no ensemble.

    Raises:
        UserError: if so.
    """
    if not isinstance(ensemble, Ensemble):
        raise UserError(
            f"a {type(ensemble).__name__} for an ensemble: give ensemble.stacked(model), or "
            "ensemble.callables([f, g])"
        )


def check_classes(ensemble: Ensemble, variables: Variables, dataset: Dataset) -> None:
    """Refuse labels of which the members' logits have no column; nothing is computed.

    Raises:
        UserError: if so, or the members have no logits for these images.
    """
    shape, kind = (1, *dataset.images.shape[1:]), dataset.images.dtype
    example = jax.eval_shape(to_float, jax.ShapeDtypeStruct(shape, kind))
    logits = jax.eval_shape(lambda v, x: predict(ensemble, v)(x), variables, example)
    check_labels(dataset.labels, logits.shape[-1])


def features(ensemble: Ensemble, variables: Variables) -> Callable[[Array], tuple[Array, ...]]:
    """The ensemble in eval mode as a function `x [B, …] -> M features [B, D_m]`."""
    return lambda x: ensemble.apply(variables, x, train=False, key=None)[0].features


def stacked(model: Model, size: int = 2) -> Ensemble:
    """`size` members of one architecture, one pytree with a leading member axis, under `vmap`.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> pair = ensemble.stacked(models.fc(10), size=2)
    >>> variables = pair.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    >>> ensemble.predict(pair, variables)(jnp.zeros((5, 8, 8, 1))).shape  # [M, B, classes]
    (2, 5, 10)
    """
    if not isinstance(model, Model):
        raise UserError(
            f"a {type(model).__name__} for a model: give models.from_linen(module), or functions "
            "to `callables`"
        )
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise UserError(f"an ensemble of {size} members: give at least 1")

    def init(key: Key, x: Array) -> Variables:
        return jax.vmap(lambda k: model.init(k, x))(jax.random.split(key, size))

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        check_members(variables, size)

        def one(member_variables: Variables, index: Array) -> tuple[Array, Array, Variables]:
            member_key = None if key is None else jax.random.fold_in(key, index)
            outputs, updated = model.apply(member_variables, x, train=train, key=member_key)
            if model.feature not in outputs.taps:
                raise UserError(f"feature {model.feature!r}: the model has {sorted(outputs.taps)}")
            feature = outputs.taps[model.feature]
            return _logits(outputs), feature.reshape(feature.shape[0], -1), updated

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
        alike = str(jax.tree.structure(variables)) == str(jax.tree.structure(chosen))
        pairs = zip(shapes_of(variables), shapes_of(chosen), strict=False)
        if not alike or any(old[1:] != new[1:] for old, new in pairs):
            raise UserError("variables of another architecture: give what `pick` gave, or its like")
        places = jnp.asarray(indices)
        return jax.tree.map(lambda all_, some: all_.at[places].set(some), variables, chosen)

    return Ensemble(init, apply, size, pick, put, alike=True, cached=model.cached)


def _logits(outputs: Outputs) -> Array:
    if outputs.logits is None:
        raise UserError("the model has no logits: give a classifier, or `pathways` with one")
    return outputs.logits


def mixed(groups: Sequence[Ensemble]) -> Ensemble:
    """Several ensembles joined into one; variables are the tuple of theirs.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> each = [ensemble.stacked(model(10), 1) for model in (models.fc, models.cnn)]
    >>> two = ensemble.mixed(each)
    >>> variables = two.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    >>> ensemble.predict(two, variables)(jnp.zeros((5, 8, 8, 1))).shape
    (2, 5, 10)

    Raises:
        UserError: if there are none; when applied, if they have different classes.
    """
    listed = isinstance(groups, Sequence) and not isinstance(groups, Ensemble | str) and groups
    if not listed or not all(isinstance(group, Ensemble) for group in groups):
        raise UserError("groups to mix: give a list of ensembles, stacked(model) say")

    def init(key: Key, x: Array) -> Variables:
        keys = jax.random.split(key, len(groups))
        return tuple(group.init(k, x) for group, k in zip(groups, keys, strict=True))

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        _check_groups(variables, len(groups))
        results = [
            group.apply(v, x, train=train, key=None if key is None else jax.random.fold_in(key, i))
            for i, (group, v) in enumerate(zip(groups, variables, strict=True))
        ]
        outputs, updated = zip(*results, strict=True)
        joined = EnsembleOutputs(
            _joined(jnp.concatenate, [o.logits for o in outputs]),
            tuple(feature for o in outputs for feature in o.features),
        )
        return joined, updated

    owners = [(g, i) for g, group in enumerate(groups) for i in range(group.size)]

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, len(owners))
        _check_groups(variables, len(groups))
        chosen = [owners[index] for index in indices]
        parts = [groups[g].pick(variables[g], (i,)) for g, i in chosen]
        return mixed([part for part, _ in parts]), tuple(v for _, v in parts)

    def put(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
        check_indices(indices, len(owners))
        _check_groups(variables, len(groups))
        _check_groups(chosen, len(indices))
        whole = list(variables)
        for index, part in zip(indices, chosen, strict=True):
            g, i = owners[index]
            whole[g] = groups[g].put(whole[g], (i,), part)
        return tuple(whole)

    cached = min((group.cached for group in groups if group.cached), default=0)
    return Ensemble(init, apply, len(owners), pick, put, cached=cached)


def _check_groups(variables: Any, count: int) -> None:
    """Refuse what is not the variables of so many groups.

    Raises:
        UserError: if so.
    """
    if not isinstance(variables, tuple | list) or len(variables) != count:
        kind = type(variables).__name__
        raise UserError(f"a {kind} for the variables of {count} groups: give a tuple, one a group")


def _joined(join: Callable[[list[Array]], Array], logits: Sequence[Array]) -> Array:
    """Members' logits as one array.

    Raises:
        UserError: if they are of different classes, or no logits.
    """
    for each in logits:
        if not hasattr(each, "dtype"):
            kind = type(each).__name__
            raise UserError(f"a member returned a {kind}: give functions that return logits alone")
        numbers("a member's logits", each, "give functions that return real numbers [B, classes]")
    shapes = [np.shape(each) for each in logits]
    if len({shape[-2:] for shape in shapes}) > 1 or any(len(shape) < 2 for shape in shapes):
        raise UserError(
            f"members' logits of shapes {', '.join(map(str, shapes))}: give members that return "
            "[B, classes] of the same classes"
        )
    return join(list(logits))


def frozen(ensemble: Ensemble) -> Ensemble:
    """The same members, finished: in eval mode in training too, and without a gradient.

    Joined by `mixed` with what is to learn: a surrogate, say, from which a new member is to differ.
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


def pathways(autoencoder: Autoencoder, classifier: Model, train: str = "") -> Ensemble:
    """The necks of one autoencoder as members: the one classifier reads each reconstruction.

    variables: `{"autoencoder", "classifier"}`.
    train: the part of the two that is being trained; the other stays in eval mode, its BatchNorm
        statistics as they are. Default both.
    """
    members, trained = autoencoder.necks, train

    def init(key: Key, x: Array) -> Variables:
        encoder_key, classifier_key = jax.random.split(key)
        return {
            "autoencoder": autoencoder.model.init(encoder_key, x),
            "classifier": classifier.init(classifier_key, x),
        }

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        keys = (None, None) if key is None else jax.random.split(key)
        made, encoder = autoencoder.model.apply(
            variables["autoencoder"], x, train=train and trained != "classifier", key=keys[0]
        )
        images = jnp.reshape(jnp.asarray(made.reconstruction), (members * len(x), *x.shape[1:]))
        reading = train and trained != "autoencoder"
        read, reader = classifier.apply(variables["classifier"], images, train=reading, key=keys[1])
        outputs = EnsembleOutputs(
            _logits(read).reshape(members, len(x), -1),
            tuple(made.taps[autoencoder.model.feature].reshape(members, len(x), -1)),
            made.reconstruction,
        )
        return outputs, {"autoencoder": encoder, "classifier": reader}

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, members)
        chosen, encoder = autoencoder.pick(variables["autoencoder"], indices)
        return pathways(chosen, classifier, trained), {**variables, "autoencoder": encoder}

    return Ensemble(init, apply, members, pick, _shared, alike=True)


def _shared(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
    raise UserError("pathways share their weights: they cannot be replaced one by one")


def callables(functions: Sequence[Predict]) -> Ensemble:
    """The reader's own trained functions `x -> logits [B, C]`; variables are `()`.

    Their logits serve as features, since a plain function shows nothing else.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])
    >>> ensemble.predict(pair, ())(jnp.array([[1.0, 3.0]])).tolist()
    [[[1.0, 3.0]], [[2.0, 6.0]]]

    Raises:
        UserError: if there are none, or what is given is no function; when applied, if they do not
            return logits of the same classes.
    """
    if not isinstance(functions, Sequence) or isinstance(functions, str) or not functions:
        raise UserError("functions of an ensemble: give a list of at least one, [f, g] say")
    functions = [plain_function(function) for function in functions]

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        logits = tuple(function(x) for function in functions)
        return EnsembleOutputs(_joined(jnp.stack, logits), logits), variables

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, len(functions))
        return callables([functions[index] for index in indices]), variables

    return Ensemble(lambda key, x: (), apply, len(functions), pick, _no_weights)


def _no_weights(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
    raise UserError("plain functions have no weights to train: give models, `stacked` or `mixed`")
