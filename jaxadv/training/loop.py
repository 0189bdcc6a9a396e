"""`fit`: an epoch is one compiled scan, and the runs of a study are one program.

A *run* is one seed with the scalars that vary between runs (λ, say). Training is a list of
phases taken in turn, on every batch or one after another over all of them: one phase for
decorrelation, two for alternating objectives. What a phase does not train stays as it is; its loss
applies that part in eval mode.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.typing import ArrayLike

from jaxadv.checks import check_choice, check_function, check_whole
from jaxadv.compilation import jit
from jaxadv.data.batches import epoch_indices, take
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.errors import UserError
from jaxadv.memory import check_memory, warn_of_memory
from jaxadv.parallel import (
    collected,
    over_runs,
    placed,
    placements,
)
from jaxadv.phases import (  # noqa: F401 (names of this module too)
    Loss,
    Metrics,
    Phase,
    State,
    Trainable,
    Turns,
    check_phases,
    check_seeds,
    first_opt_states,
    is_parameter,
    merge,
    of_loss,
    of_monitor,
    split,
)
from jaxadv.precision import in_float32
from jaxadv.streams import Stream, stream
from jaxadv.types import Array, Key, PyTree, Variables


def init(
    ensemble_init: Callable[[Key, Array], Variables],
    phases: Sequence[Phase],
    dataset: Dataset,
    seeds: Sequence[int],
    varied: Mapping[str, ArrayLike] | None = None,
) -> State:
    """The state of every run before training, leading axis `len(seeds)`.

    varied: for each name one value a run, traced: runs that differ in them share one program.

    Two runs of one seed begin at the same weights and see the same batches.

    >>> import optax
    >>> from jaxadv import data, defences, ensemble, models, training
    >>> train, pair = data.load_dataset('digits').train, ensemble.stacked(models.fc(10))
    >>> phases = [defences.decorrelation(pair, optax.adam(1e-3))]
    >>> state = training.init(pair.init, phases, train, [0, 1], {'strength': [0.0, 0.05]})
    >>> state.seed.tolist(), state.epoch.tolist()
    ([0, 1], [0, 0])

    Raises:
        UserError: seeds, phases, scalars or data that are none, do not fit each other, or whose
            states do not fit into memory.
    """
    check_phases(phases)
    check_dataset(dataset)
    check_seeds(seeds, varied or {})
    check_function("init", ensemble_init, "a function (key, x) -> variables, ensemble.init say")
    example = take(dataset, jnp.zeros(1, jnp.int32)).images

    def one(seed: Array, varied: dict[str, Array]) -> State:
        variables = ensemble_init(stream(seed, Stream.WEIGHTS), example)
        opt_states = first_opt_states(phases, variables)
        return State(variables, opt_states, jnp.zeros((), jnp.int32), seed, varied)

    values = {name: jnp.asarray(v, jnp.float32) for name, v in (varied or {}).items()}
    scalars = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in values}
    run = jax.eval_shape(one, jax.ShapeDtypeStruct((), jnp.uint32), scalars)
    check_memory(run, len(seeds))
    # Random bits unroll into much code that runs once: unoptimised, it compiles ten times faster.
    quick = {"xla_backend_optimization_level": 0}
    return jax.jit(jax.vmap(one), compiler_options=quick)(jnp.asarray(seeds, jnp.uint32), values)


def onward(state: State, phases: Sequence[Phase]) -> State:
    """Trained runs at the beginning of another training: their variables, fresh optimizers.

    A copy: `fit` may take it and leave the state it was made from.

    Raises:
        UserError: if the phases are no list of them.
    """
    check_phases(phases)
    copied = jax.jit(partial(jax.tree.map, jnp.copy))(state)
    opt_states = jax.jit(jax.vmap(partial(first_opt_states, phases)))(copied.variables)
    return copied._replace(opt_states=opt_states, epoch=jnp.zeros_like(copied.epoch))


def _update(
    phase: Phase, index: int, state: State, batch: Dataset, key: Key
) -> tuple[State, Metrics]:
    transform_key, loss_key = jax.random.split(key)
    batch = phase.transform(state, batch, transform_key)
    trained, fixed = split(state.variables, phase)

    def loss(trained: PyTree) -> tuple[Array, tuple[Variables, Metrics]]:
        variables = merge(trained, fixed)
        return of_loss(phase.loss(variables, batch, loss_key, state.epoch, state.varied))

    (value, (variables, metrics)), gradient = jax.value_and_grad(loss, has_aux=True)(trained)
    own = index if phase.shares is None else phase.shares
    updates, optimizer = phase.optimizer.update(gradient, state.opt_states[own], trained)
    _, statistics = split(variables, phase)
    variables = merge(optax.apply_updates(trained, updates), statistics)
    opt_states = (*state.opt_states[:own], optimizer, *state.opt_states[own + 1 :])
    return state._replace(variables=variables, opt_states=opt_states), {"loss": value, **metrics}


@in_float32
def epoch(
    phases: Sequence[Phase],
    batch_size: int,
    state: State,
    dataset: Dataset,
    turns: Turns = "batches",
) -> tuple[State, Metrics]:
    """One epoch of one run: the state after it and each metric's mean over the steps, pure."""
    key = jax.random.fold_in(stream(state.seed, Stream.TRAINING), state.epoch)
    numbered = tuple(enumerate(phases))
    passes = [numbered] if turns == "batches" else [(one,) for one in numbered]
    metrics: Metrics = {}
    for number, taken in enumerate(passes):
        pass_key = jax.random.fold_in(key, number) if number else key
        state, measured = _pass(taken, batch_size, state, dataset, pass_key)
        metrics |= measured
    return state._replace(epoch=state.epoch + 1), metrics


def _pass(
    phases: Sequence[tuple[int, Phase]], batch_size: int, state: State, dataset: Dataset, key: Key
) -> tuple[State, Metrics]:
    """Every batch of the data once, in an order of the key's, and on each the phases in turn."""
    shuffle_key, step_key = jax.random.split(key)
    indices = epoch_indices(shuffle_key, len(dataset.labels), batch_size)

    def step(state: State, inputs: tuple[Array, Array]) -> tuple[State, Metrics]:
        number, batch_indices = inputs
        batch = take(dataset, batch_indices)
        metrics: Metrics = {}
        for index, phase in phases:
            phase_key = jax.random.fold_in(jax.random.fold_in(step_key, number), index)
            state, measured = _update(phase, index, state, batch, phase_key)
            metrics |= measured
        return state, metrics

    state, metrics = lax.scan(step, state, (jnp.arange(len(indices)), indices))
    return state, jax.tree.map(jnp.mean, metrics)


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


def fit(
    phases: Sequence[Phase],
    state: State,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int,
    turns: Turns = "batches",
    monitor: Callable[[Variables, Dataset], Metrics] | None = None,
    at_once: int = 0,
) -> Iterator[tuple[State, Metrics]]:
    """Train all runs to `epochs`, yielding the state and metrics `[runs]` after each epoch.

    The state goes on from the epoch it has reached, so a loaded checkpoint continues to the very
    numbers an uninterrupted training gives. The state passed in is donated: use the yielded one.

    turns: whether the phases take turns on every batch, or each sees all batches of an epoch, in an
        order of its own, before the next begins.
    monitor: `(variables, batch) -> metrics` of one run, measured on the data set's first
        `batch_size` examples after each epoch.
    at_once: runs that a GPU or TPU trains side by side, to bound its memory; 0 is all. A warning
        on stderr says if the program does not fit.

    Raises:
        UserError: if the data set is smaller than a batch, or is none that the phases can learn;
            phases that are no list, or not those the state was made for.
    """
    check_phases(phases)
    check_dataset(dataset)
    check_batch_size(batch_size, dataset)
    check_whole("epochs", epochs, 0)
    check_whole("at_once", at_once, 0)
    check_choice("turns", turns, ("batches", "epochs"))
    if monitor is not None:
        check_function("monitor", monitor, "a function (variables, batch) -> metrics")
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
