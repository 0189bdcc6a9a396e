"""What training is made of: the state of a run, and phases, each a kind of update of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jaxadv.checks import check_function, numbers
from jaxadv.data.dataset import Dataset
from jaxadv.errors import UserError
from jaxadv.types import Array, Key, PyTree, Variables

Metrics: TypeAlias = dict[str, Array]
Loss: TypeAlias = Callable[..., tuple[Array, tuple[Variables, Metrics]]]
Turns: TypeAlias = Literal["batches", "epochs"]
Trainable: TypeAlias = Callable[[tuple[Any, ...]], bool]  # of a leaf's path in the variables


class State(NamedTuple):
    """One run in training; with a leading axis on every array, all runs at once.

    variables: the ensemble's.
    opt_states: one Optax state a phase; empty for a phase that shares another's.
    epoch: `[]` int32, epochs done.
    seed: `[]` uint32. Every random key is derived from it and the epoch, so none is stored.
    varied: the scalars that vary between runs, `[]` each, handed to the losses.

    `training.init` makes it, `training.fit` yields it.

    >>> import numpy as np
    >>> from jaxadv import training
    >>> weights, seeds = {"params": {"w": np.zeros((2, 3))}}, np.arange(2, dtype=np.uint32)
    >>> state = training.State(weights, (), np.zeros(2, np.int32), seeds, {"strength": np.ones(2)})
    >>> state.seed.tolist(), state.epoch.tolist()  # two runs, nothing trained yet
    ([0, 1], [0, 0])
    """

    variables: Variables
    opt_states: tuple[PyTree, ...]
    epoch: Array
    seed: Array
    varied: dict[str, Array]


def is_parameter(path: tuple[Any, ...]) -> bool:
    """Whether a leaf of the variables is a parameter, not a running statistic.

    path: of the leaf, as `jax.tree_util.tree_map_with_path` gives it. It is `Phase.trainable`'s
        default.

    >>> import jax
    >>> from jaxadv import training
    >>> variables = {"batch_stats": {"mean": 0.0}, "params": {"w": 1.0}}
    >>> leaves, _ = jax.tree_util.tree_flatten_with_path(variables)
    >>> [training.is_parameter(path) for path, _ in leaves]
    [False, True]
    """
    return any(getattr(entry, "key", None) == "params" for entry in path)


def _whole_batch(state: State, batch: Dataset, key: Key) -> Dataset:
    return batch


def _any_data(variables: Variables, dataset: Dataset) -> None:
    pass


class Phase(NamedTuple):
    """One kind of update: a loss, an optimizer, and what of the variables it trains.

    loss: `(variables, batch, key, epoch, varied) -> (scalar, (variables, metrics))`. The
        variables come back with updated BatchNorm statistics; the metrics are scalars by name.
    optimizer: any Optax gradient transformation.
    transform: `(state, batch, key) -> batch`, for adversarial or superimposed batches.
    trainable: `path -> bool` over the variables' leaves; default every parameter.
    shares: the number of an earlier phase of the same optimizer and trainable leaves, whose moments
        this phase moves on too: one Adam for two losses in turn.
    check: `(variables of one run, dataset)`, called before anything is compiled. It raises
        `UserError` for data that the loss cannot learn from; the loss itself sees no numbers, since
        jax traces them.

    >>> import jax.numpy as jnp, optax
    >>> from jaxadv import data, training
    >>> def loss(variables, batch, key, epoch, varied):
    ...     error = jnp.mean((batch.images @ variables["params"]["w"] - batch.labels) ** 2)
    ...     return error, (variables, {"error": error})
    >>> phase = training.Phase(loss, optax.sgd(0.1))
    >>> batch = data.Dataset(jnp.array([[1.0], [2.0]]), jnp.array([1, 0]))
    >>> value, (_, metrics) = phase.loss({"params": {"w": jnp.array([1.0])}}, batch, None, 0, {})
    >>> float(value)  # the mean of 0 and 2²
    2.0
    """

    loss: Loss
    optimizer: optax.GradientTransformation
    transform: Callable[[State, Dataset, Key], Dataset] = _whole_batch
    trainable: Trainable = is_parameter
    shares: int | None = None
    check: Callable[[Variables, Dataset], None] = _any_data


def split(variables: Variables, phase: Phase) -> tuple[PyTree, PyTree]:
    """Variables as (trained, fixed), each with None where the other has the leaf."""
    chosen = jax.tree_util.tree_map_with_path(lambda path, _: phase.trainable(path), variables)
    trained = jax.tree.map(lambda leaf, take: leaf if take else None, variables, chosen)
    fixed = jax.tree.map(lambda leaf, take: None if take else leaf, variables, chosen)
    return trained, fixed


def merge(trained: PyTree, fixed: PyTree) -> Variables:
    """The inverse of `split`."""
    return jax.tree.map(
        lambda a, b: b if a is None else a, trained, fixed, is_leaf=lambda leaf: leaf is None
    )


def first_opt_states(phases: Sequence[Phase], variables: Variables) -> tuple[PyTree, ...]:
    """Every phase's Optax state before training; empty for one that shares another's."""
    return tuple(
        phase.optimizer.init(split(variables, phase)[0]) if phase.shares is None else ()
        for phase in phases
    )


def check_phases(phases: Any) -> None:
    """Refuse what is no list of phases.

    Raises:
        UserError: if so, or a part of one is of another kind.
    """
    listed = isinstance(phases, Sequence) and not isinstance(phases, Phase | str)
    if not listed or not all(isinstance(phase, Phase) for phase in phases):
        raise UserError("phases: give a list of them, [phase]")
    for number, phase in enumerate(phases):
        for name in ("loss", "transform", "trainable", "check"):
            check_function(f"phase {number}'s {name}", getattr(phase, name), "a function")
        if not isinstance(phase.optimizer, optax.GradientTransformation):
            kind = type(phase.optimizer).__name__
            raise UserError(f"a {kind} for an optimizer: give Optax's, optax.adam(1e-3) say")
        if phase.shares is not None and phase.shares not in range(number):
            raise UserError(
                f"phase {number} shares the optimizer of {phase.shares!r}: give the number of an "
                "earlier phase"
            )


def check_seeds(seeds: Any, varied: Mapping[str, ArrayLike]) -> None:
    """Refuse what is no list of seeds, and scalars that have not one value for each.

    Raises:
        UserError: if so.
    """
    found = np.asarray(numbers("seeds", seeds, "give a list, range(4) say"))
    if found.ndim != 1:
        raise UserError(f"seeds {seeds}: give a list, range(4) say")
    if len(found) == 0:
        raise UserError("no seeds: give at least one")
    whole = np.issubdtype(found.dtype, np.integer)
    if not whole or found.min() < 0 or found.max() >= 2**32:
        raise UserError(f"seeds {found.tolist()}: give whole numbers from 0 to {2**32 - 1}")
    if not isinstance(varied, Mapping):
        raise UserError(
            f"a {type(varied).__name__} for scalars that vary: give {{name: one value a run}}"
        )
    for name, values in varied.items():
        numbers(f"scalar {name!r}", values, "give one number a seed")
        if np.shape(values) != found.shape:
            raise UserError(
                f"scalar {name!r} of shape {np.shape(values)}: give one value for each of "
                f"{len(found)} seeds"
            )


def of_loss(found: Any) -> tuple[Array, tuple[Variables, Metrics]]:
    """What a phase's loss returned.

    Raises:
        UserError: if it is something else.
    """
    pair = isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], tuple)
    if not pair or len(found[1]) != 2 or not isinstance(found[1][1], Mapping):
        raise UserError("a loss: let it return (value, (variables, {name: metric}))")
    value = numbers("value of the loss", found[0], "let it return one float")
    if value.ndim != 0 or not jnp.issubdtype(value.dtype, jnp.floating):
        raise UserError(f"a loss of shape {value.shape} and type {value.dtype}: give one float")
    return found


def of_monitor(found: Any) -> Metrics:
    """What a monitor returned.

    Raises:
        UserError: if it is something else.
    """
    if not isinstance(found, Mapping):
        raise UserError(f"monitor returned a {type(found).__name__}: give {{name: metric}}")
    return dict(found)
