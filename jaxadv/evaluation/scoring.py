"""What the members make of images: probabilities, and whatever else is asked for."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, EnsembleOutputs
from jaxadv.errors import UserError
from jaxadv.evaluation.chunks import in_chunks
from jaxadv.types import Array, Variables

Extras: TypeAlias = dict[str, Array]
Measure: TypeAlias = Callable[[tuple[Array, ...]], Extras]  # M features [N, D_m] to scalars
Examine: TypeAlias = Callable[[EnsembleOutputs, Array], Extras]  # outputs, images to […, B]


def scored(
    ensemble: Ensemble,
    variables: Variables,
    images: Array,
    *,
    chunk: int,
    measure: Measure | None,
    examine: Examine | None,
) -> tuple[Array, Extras]:
    """Probabilities `[M, N, C]` of images `[N, …]`, and what `measure` and `examine` find.

    Raises:
        UserError: if either returns no dict.
    """

    def outputs(x: Array) -> tuple[Any, ...]:
        x = to_float(x)
        result = ensemble.apply(variables, x, train=False, key=None)[0]
        examined = _named("examine", examine(result, x)) if examine else {}
        first = {name: jnp.moveaxis(array, -1, 0) for name, array in examined.items()}
        features = result.features if measure else ()
        return jnp.moveaxis(jax.nn.softmax(result.logits), 1, 0), features, first

    probabilities, features, examined = in_chunks(outputs, chunk, images)
    last = {name: jnp.moveaxis(array, 0, -1) for name, array in examined.items()}
    measured = _named("measure", measure(features)) if measure else {}
    return jnp.moveaxis(probabilities, 0, 1), {**last, **measured}


def _named(name: str, found: Any) -> Extras:
    """What `measure` or `examine` found.

    Raises:
        UserError: if it is no dict.
    """
    if not isinstance(found, Mapping):
        raise UserError(f"{name} returned a {type(found).__name__}: let it return a dict of arrays")
    return dict(found)
