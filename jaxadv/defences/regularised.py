"""Members that learn a task under a penalty: what the recipes of this package have in common."""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, EnsembleOutputs
from jaxadv.ensemble.ensemble import check_classes
from jaxadv.errors import UserError
from jaxadv.losses.classification import Joined, join
from jaxadv.losses.tasks import Task, classify
from jaxadv.phases import Metrics, Trainable
from jaxadv.training import Phase, is_parameter
from jaxadv.types import Array, Key, Variables

STRENGTH = "strength"  # the weight of a penalty, where runs differ in it

# (variables, batch, key) -> images
Shown: TypeAlias = Callable[[Variables, Dataset, Key], Array]


class Step(NamedTuple):
    """What a penalty may look at in a training step.

    variables, outputs: the ensemble's, before the step.
    batch: the images shown, floats in [0, 1], and their labels.
    key: for what is random.
    epoch: `[]`, epochs done.
    varied: the run's scalars by name.

    >>> from jaxadv import defences
    >>> step = defences.Step({}, None, None, None, 0, {"strength": 0.5})
    >>> step.scalar("strength")
    0.5
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

    penalty: `Step -> (scalar, metrics)`; default none, which is plain training.
    task: what each member is trained to do, see `losses.Task`.
    joined: "sum" or "root_sum_square" of the members' losses, see `losses.join`.
    shown: `(variables, batch, key) -> images`, what the members see of the batch, adversarial
        images say; their task remains that of the batch.
    trainable: `path -> bool` over the variables' leaves; default every parameter.

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(3)))
    >>> zero = {"params": {"kernel": np.zeros((2, 4, 3)), "bias": np.zeros((2, 3))}}
    >>> batch, key = data.Dataset(np.ones((5, 4)), np.zeros(5, int)), jax.random.key(0)
    >>> phase = defences.regularised(pair, optax.adam(1e-3), lambda step: (7.0, {}))
    >>> value, _ = jax.jit(phase.loss)(zero, batch, key, 0, {})
    >>> round(float(value), 3)  # 2 log 3 + 7
    9.197

    Raises:
        UserError: in training, if labels have no column among the logits, another `joined`.
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
"""How steps for the classes and for a penalty on gradients go together.

"alternating": on each batch a step for the classes, then one for the penalty (Adam et al. 2019,
Algorithm 1). "simultaneous": one step for the sum of both.

>>> import typing
>>> from jaxadv import defences
>>> typing.get_args(defences.Updates)
('alternating', 'simultaneous')
"""


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
