"""`Ensemble`: several networks as two pure functions, and what may be asked of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_labels
from jaxadv.errors import UserError
from jaxadv.types import Array, Indices, Predict, Variables


class EnsembleOutputs(NamedTuple):
    """One forward pass of M members.

    logits: `[M, B, C]`.
    features: M arrays `[B, D_m]`, flattened; the layer the paper decorrelates.
    reconstructions: `[M, B, H, W, C]` where the members make images.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])
    >>> outputs, _ = pair.apply((), jnp.ones((5, 3)), train=False, key=None)
    >>> outputs.logits.shape, [each.shape for each in outputs.features], outputs.reconstructions
    ((2, 5, 3), [(5, 3), (5, 3)], None)
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

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])
    >>> second, variables = pair.pick((), [1])
    >>> pair.size, second.size
    (2, 1)
    >>> ensemble.predict(second, variables)(jnp.array([[1.0, 3.0]])).tolist()
    [[[2.0, 6.0]]]
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[EnsembleOutputs, Variables]]
    size: int
    pick: Callable[[Variables, Indices], tuple["Ensemble", Variables]]
    put: Callable[[Variables, Indices, Variables], Variables]
    alike: bool = False
    cached: int = 0


def predict(ensemble: Ensemble, variables: Variables) -> Predict:
    """The ensemble in eval mode as a plain function `x [B, …] -> logits [M, B, C]`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])
    >>> ensemble.predict(pair, ())(jnp.array([[1.0, 3.0]])).tolist()
    [[[1.0, 3.0]], [[2.0, 6.0]]]
    """
    return lambda x: ensemble.apply(variables, x, train=False, key=None)[0].logits


def features(ensemble: Ensemble, variables: Variables) -> Callable[[Array], tuple[Array, ...]]:
    """The ensemble in eval mode as a function `x [B, …] -> M features [B, D_m]`.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])  # which show their logits alone
    >>> [each.tolist() for each in ensemble.features(pair, ())(jnp.array([[1.0, 3.0]]))]
    [[[1.0, 3.0]], [[2.0, 6.0]]]
    """
    return lambda x: ensemble.apply(variables, x, train=False, key=None)[0].features


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

    dataset: images `[N, …]`, as uint8 0…255 or floats in [0, 1], and labels `[N]`.

    Raises:
        UserError: if so, or the members have no logits for these images.
    """
    shape, kind = (1, *dataset.images.shape[1:]), dataset.images.dtype
    example = jax.eval_shape(to_float, jax.ShapeDtypeStruct(shape, kind))
    logits = jax.eval_shape(lambda v, x: predict(ensemble, v)(x), variables, example)
    check_labels(dataset.labels, logits.shape[-1])
