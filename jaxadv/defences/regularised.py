"""Members that learn a task under a penalty: what the recipes of this package have in common."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble
from jaxadv.losses.classification import Joined, join
from jaxadv.losses.tasks import Task, classify
from jaxadv.training import Metrics, Phase, Trainable, is_parameter
from jaxadv.types import Array, Key, Variables

# (variables, outputs, key, epoch, settings of the run) -> (scalar, metrics)
Penalty: TypeAlias = Callable[..., tuple[Array, Metrics]]
# (variables, batch, key) -> images
Shown: TypeAlias = Callable[[Variables, Dataset, Key], Array]


def no_penalty(*_: object) -> tuple[Array, Metrics]:
    """Plain training."""
    return jnp.zeros(()), {}


def batch_images(variables: Variables, batch: Dataset, key: Key) -> Array:
    """The images of the batch, as they are."""
    return batch.images


def regularised(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    penalty: Penalty = no_penalty,
    *,
    task: Task = classify,
    joined: Joined = "sum",
    shown: Shown = batch_images,
    trainable: Trainable = is_parameter,
) -> Phase:
    """The phase task1 + task2 + … + penalty.

    penalty: `(variables, outputs, key, epoch, settings) -> (scalar, metrics)`.
    task: what each member is trained to do.
    joined: "sum" or "root_sum_square" of the members' losses.
    shown: `(variables, batch, key) -> images`, what the members see of the batch, adversarial
        images say; their task remains that of the batch.
    trainable: `path -> bool` over the variables' leaves; default every parameter.
    """

    def loss(
        variables: Variables, batch: Dataset, key: Key, epoch: Array, settings: dict[str, Array]
    ) -> tuple[Array, tuple[Variables, Metrics]]:
        # The penalty draws from `key` itself, so dropout and what is shown must not.
        dropout, perturbing = (jax.random.fold_in(key, ensemble.size + i) for i in range(2))
        images = lax.stop_gradient(shown(variables, batch, perturbing))
        outputs, updated = ensemble.apply(variables, images, train=True, key=dropout)
        losses, metrics = task(outputs, batch)
        extra, measured = penalty(variables, outputs, key, epoch, settings)
        return join(losses, joined) + extra, (updated, {**metrics, **measured})

    return Phase(loss, optimizer, trainable=trainable)
