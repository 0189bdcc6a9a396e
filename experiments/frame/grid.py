"""The grid of runs: variants by seeds, and the one place that knows their order on the runs axis.

All runs of a cohort are trained in one program, variant by variant, each in the seeds' order.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jaxadv.ensemble import Ensemble
from jaxadv.errors import UserError

Keys: TypeAlias = Mapping[str, Any]
NONE: Mapping[str, Any] = MappingProxyType({})


class Variant(NamedTuple):
    """A way in which runs differ.

    name: the `variant` of its rows. varied: scalars that its runs are trained by.
    keys: further keys of its rows.
    """

    name: str
    varied: Mapping[str, float] = NONE
    keys: Keys = NONE


class Cohort(NamedTuple):
    """Runs that are trained in one program.

    name: of its checkpoints and measured parts. model: of its rows. ensemble: what is attacked.
    variants: what its runs differ in beside their seeds. own: what else the study must know of it.
    """

    name: str
    model: str
    ensemble: Ensemble
    variants: Sequence[Variant]
    own: Any = None


def seeds_of(variants: Sequence[Variant], seeds: Sequence[int]) -> list[int]:
    """The seed of every run."""
    return [seed for _ in variants for seed in seeds]


def varied_of(variants: Sequence[Variant], seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """The scalars of every run, `[runs]` each.

    Raises:
        UserError: if the variants are not varied in the same scalars.
    """
    first = variants[0].varied.keys()
    for variant in variants:
        if variant.varied.keys() != first:
            names = f"{', '.join(variant.varied) or 'nothing'}, not {', '.join(first) or 'nothing'}"
            raise UserError(f"variant {variant.name}: varies {names} as {variants[0].name} does")
    each = {name: [variant.varied[name] for variant in variants] for name in first}
    return {name: np.repeat(values, len(seeds)) for name, values in each.items()}


def keys_of(cohort: Cohort, seeds: Sequence[int]) -> list[Keys]:
    """The keys of every run's rows."""
    return [
        {"model": cohort.model, "variant": variant.name, **variant.keys, "seed": seed}
        for variant in cohort.variants
        for seed in seeds
    ]


def by_variant(leaf: Any, seeds: int) -> Any:
    """An array over runs `[runs, …]` as one over variants and seeds `[variants, seeds, …]`."""
    return leaf.reshape(-1, seeds, *leaf.shape[1:])


def once_a_variant(leaf: Any, variants: int) -> Any:
    """An array over seeds `[seeds, …]` as one over runs, each seed's in every variant."""
    return np.concatenate([np.asarray(leaf)] * variants)
