"""The training loop: all runs, epoch after epoch, by one compiled program."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jaxadv.checks import check_choice, check_function, check_whole
from jaxadv.compilation import jit
from jaxadv.data.batches import take
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.errors import UserError
from jaxadv.memory import warn_of_memory
from jaxadv.parallel import collected, over_runs, placed, placements
from jaxadv.phases import Metrics, Phase, State, Turns, check_phases, of_monitor
from jaxadv.precision import in_float32
from jaxadv.training.epochs import epoch
from jaxadv.types import Variables

Monitor: TypeAlias = Callable[[Variables, Dataset], Metrics]


def fit(
    phases: Sequence[Phase],
    state: State,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int,
    turns: Turns = "batches",
    monitor: Monitor | None = None,
    at_once: int = 0,
) -> Iterator[tuple[State, Metrics]]:
    """Train all runs to `epochs`, yielding the state and metrics `[runs]` after each epoch.

    The state goes on from the epoch it has reached, so a loaded checkpoint continues to the very
    numbers an uninterrupted training gives. The state passed in is donated: use the yielded one.

    dataset: images `[N, …]` and labels `[N]`, of which each epoch sees whole batches alone.
    turns: whether the phases take turns on every batch, or each sees all batches of an epoch, in an
        order of its own, before the next begins.
    monitor: `(variables, batch) -> metrics` of one run, measured on the data set's first
        `batch_size` examples after each epoch.
    at_once: runs that a GPU or TPU trains side by side, to bound its memory; 0 is all. A warning
        on stderr says if the program does not fit.

    >>> import jax.numpy as jnp, optax
    >>> from jaxadv import data, training
    >>> loss = lambda w, batch, key, epoch, varied: (w["params"] ** 2, (w, {}))
    >>> phases = [training.Phase(loss, optax.sgd(0.25))]  # halves it at every step
    >>> given = data.Dataset(jnp.ones((4, 1)), jnp.zeros(4, int))
    >>> first = lambda key, x: {"params": jnp.float32(1.0)}
    >>> state = training.init(first, phases, given, seeds=[0])
    >>> for state, metrics in training.fit(phases, state, given, epochs=2, batch_size=2):
    ...     print(state.epoch, metrics["loss"], state.variables["params"])
    [1] [0.625] [0.25]
    [2] [0.0390625] [0.0625]

    Raises:
        UserError: if the data set is smaller than a batch, or is none that the phases can learn;
            phases that are no list, or not those the state was made for.
    """
    _check_settings(epochs, at_once, turns, monitor)
    _check_fitting(phases, state, dataset, batch_size)
    probe = jnp.arange(batch_size)

    @in_float32
    def one(state: State, dataset: Dataset) -> tuple[State, Metrics]:
        state, metrics = epoch(phases, batch_size, state, dataset, turns)
        if monitor is not None:
            metrics |= of_monitor(monitor(state.variables, take(dataset, probe)))
        return state, metrics

    done = int(state.epoch[0])
    if done >= epochs:
        return
    runs, whole = placements(len(state.epoch)) or (None, None)
    shardings: dict[str, Any] = (
        {"in_shardings": (runs, whole), "out_shardings": runs} if runs else {}
    )
    step = jit(over_runs(one, at_once), donate_argnums=0, **shardings)
    state, dataset = placed(state, runs), placed(dataset, whole)
    program = step.lower(state, dataset).compile()
    warn_of_memory(program)
    for _ in range(done, epochs):
        state, metrics = program(state, dataset)
        yield collected((state, metrics))


def check_batch_size(batch_size: int, dataset: Dataset) -> None:
    """Refuse batches that the data set cannot fill.

    Raises:
        UserError: if so.
    """
    count = len(dataset.labels)
    check_whole("batch size", batch_size, 0)
    if not 1 <= batch_size <= count:
        raise UserError(
            f"batch size {batch_size} for {count} examples: choose one between 1 and {count}"
        )


def _check_settings(epochs: Any, at_once: Any, turns: Any, monitor: Any) -> None:
    """Refuse what no training can be told.

    Raises:
        UserError: if so.
    """
    check_whole("epochs", epochs, 0)
    check_whole("at_once", at_once, 0)
    check_choice("turns", turns, ("batches", "epochs"))
    if monitor is not None:
        check_function("monitor", monitor, "a function (variables, batch) -> metrics")


def _check_fitting(phases: Any, state: Any, dataset: Dataset, batch_size: int) -> None:
    """Refuse phases, a state and data that do not fit each other.

    Raises:
        UserError: if so.
    """
    check_phases(phases)
    check_dataset(dataset)
    check_batch_size(batch_size, dataset)
    if not isinstance(state, State):
        raise UserError(f"a {type(state).__name__} for a state: give what training.init returned")
    if len(state.opt_states) != len(phases):
        raise UserError(
            f"{len(phases)} phases, a state of {len(state.opt_states)}: give the phases that "
            "`init` or `onward` was given"
        )
    first = jax.eval_shape(partial(jax.tree.map, lambda leaf: leaf[0]), state.variables)
    for phase in phases:
        phase.check(first, dataset)
