"""Rows on the members' input gradients: how they lie to each other, and how long they are."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.frame.rows import Keys, finite, row
from jaxadv.compilation import jit
from jaxadv.data import Dataset
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble
from jaxadv.evaluation import in_chunks
from jaxadv.losses.gradients import cosines, input_gradients, probability_gradient_norms
from jaxadv.metrics import Rate
from jaxadv.parallel import collected, over_runs
from jaxadv.precision import in_float32
from jaxadv.results import Row
from jaxadv.training import State
from jaxadv.types import Array, Variables

SMALLEST_PRODUCT = 1e-8  # of two lengths, in `torch.nn.functional.cosine_similarity` of 2019


def as_of_probabilities(cosines: Array, lengths: Array) -> Array:
    """Cosines `[N]` as PyTorch of 2019 gives them, from the lengths `[N, 2]` of ∇p.

    It divides by the product of the lengths, or by 1e-8 where that is less: images a network is
    sure of, whose ∇p vanishes, count as if their gradients were at right angles.
    """
    product = np.prod(np.asarray(lengths, np.float64), axis=-1)
    return cosines * np.minimum(1, product / SMALLEST_PRODUCT)


def gradient_rows(
    ensemble: Ensemble, state: State, data: Dataset, split: str, runs: Sequence[Keys]
) -> list[Row]:
    """How the members' input gradients lie to each other on the images of a split, and how long."""

    @in_float32
    def one(variables: Variables, data: Dataset) -> tuple[Array, Array]:
        def of(images: Array, labels: Array) -> tuple[Array, Array]:
            odds, found = input_gradients(ensemble, variables, to_float(images), labels)
            return cosines(found)[0], probability_gradient_norms(odds, found).T

        return in_chunks(of, 1000, *map(jnp.asarray, data))

    program = jit(over_runs(one))
    angles, lengths = jax.device_get(collected(program(state.variables, data)))
    rows = list[Row]()
    for run, cosine, length in zip(runs, angles, lengths, strict=True):
        of = {**run, "split": split}
        values = {
            "cosine": cosine.mean(),
            "absolute_cosine": np.abs(cosine).mean(),
            "cosine_of_probabilities": as_of_probabilities(cosine, length).mean(),
            "cosine_deviation": cosine.std(),
            "gradient_norm_difference": np.abs(length[:, 0] - length[:, 1]).mean(),
        }
        n = len(cosine)
        rows += [row(name, Rate(finite(value), n), **of) for name, value in values.items()]
        for target, mean in enumerate(length.mean(axis=0), start=1):
            rows.append(row("gradient_norm", Rate(finite(mean), n), **of, target=str(target)))
    return rows
