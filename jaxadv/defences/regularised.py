"""Members that learn a task under a penalty: what the recipes of this package have in common."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, EnsembleOutputs, check_classes
from jaxadv.errors import UserError
from jaxadv.losses.classification import Joined, join
from jaxadv.losses.tasks import Task, classify
from jaxadv.training import Metrics, Phase, Trainable, is_parameter
from jaxadv.types import Array, Key, Variables

STRENGTH = "strength"  # the weight of a penalty, where runs differ in it

# (variables, batch, key) -> images
Shown: TypeAlias = Callable[[Variables, Dataset, Key], Array]


class Step(NamedTuple):
    """What a penalty may look at in a training step.

    variables, outputs: the ensemble's, before the step. batch: the images shown, float, and their
    labels. key: for what is random. epoch: `[]`, epochs done. varied: the run's scalars.
    """

    variables: Variables
    outputs: EnsembleOutputs
    batch: Dataset
    key: Key
    epoch: Array
    varied: dict[str, Array]

    def scalar(self, name: str) -> Array:
        """The run's scalar of that name.

        Raises:
            UserError: if it has none.
        """
        if name not in self.varied:
            raise UserError(f"scalar {name!r}: the runs have none; give training.init a value")
        return self.varied[name]


Penalty: TypeAlias = Callable[[Step], tuple[Array, Metrics]]


def no_penalty(step: Step) -> tuple[Array, Metrics]:
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

    penalty: `Step -> (scalar, metrics)`.
    task: what each member is trained to do.
    joined: "sum" or "root_sum_square" of the members' losses.
    shown: `(variables, batch, key) -> images`, what the members see of the batch, adversarial
        images say; their task remains that of the batch.
    trainable: `path -> bool` over the variables' leaves; default every parameter.
    """

    def loss(
        variables: Variables, batch: Dataset, key: Key, epoch: Array, varied: dict[str, Array]
    ) -> tuple[Array, tuple[Variables, Metrics]]:
        # The penalty draws from `key` itself, so dropout and what is shown must not.
        dropout, perturbing = (jax.random.fold_in(key, ensemble.size + i) for i in range(2))
        images = lax.stop_gradient(shown(variables, batch, perturbing))
        outputs, updated = ensemble.apply(variables, images, train=True, key=dropout)
        losses, metrics = task(outputs, batch)
        seen = batch._replace(images=images)
        extra, measured = penalty(Step(variables, outputs, seen, key, epoch, varied))
        return join(losses, joined) + extra, (updated, {**metrics, **measured})

    check = partial(check_classes, ensemble)
    return Phase(loss, optimizer, trainable=trainable, check=check)


def _nothing(outputs: EnsembleOutputs, batch: Dataset) -> tuple[Array, Metrics]:
    """No task: the step obeys the penalty alone."""
    return jnp.zeros(len(outputs.logits)), {}


Updates = Literal["alternating", "simultaneous"]


def in_steps(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    penalty: Penalty,
    updates: Updates = "alternating",
) -> list[Phase]:
    """Phases for a penalty that asks for steps of its own.

    updates: "alternating", on each batch a step for the classes and then one for the penalty (Adam
        et al. 2019, Algorithm 1) by one optimizer, so that once the classes are learned its
        moments are the penalty's; or "simultaneous", one step for the sum of both.

    Raises:
        UserError: other `updates`.
    """
    if updates == "simultaneous":
        return [regularised(ensemble, optimizer, penalty)]
    if updates != "alternating":
        raise UserError(f"updates {updates!r}: choose alternating or simultaneous")
    alone = regularised(ensemble, optimizer, penalty, task=_nothing)
    return [regularised(ensemble, optimizer), alone._replace(shares=0)]
