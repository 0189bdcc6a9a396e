"""One epoch of one run as a pure function: passes over the data, batches, updates."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.data.batches import epoch_indices, take
from jaxadv.data.dataset import Dataset
from jaxadv.phases import Metrics, Phase, State, Turns, merge, of_loss, split
from jaxadv.precision import in_float32
from jaxadv.streams import Stream, stream
from jaxadv.types import Array, Key, PyTree, Variables


@in_float32
def epoch(
    phases: Sequence[Phase],
    batch_size: int,
    state: State,
    dataset: Dataset,
    turns: Turns = "batches",
) -> tuple[State, Metrics]:
    """One epoch of one run: the state after it and each metric's mean over the steps, pure.

    state: without an axis of runs. turns: as for `fit`.

    >>> import jax.numpy as jnp, optax
    >>> from jaxadv import data, training
    >>> loss = lambda w, batch, key, epoch, varied: (w["params"] ** 2, (w, {}))
    >>> phases = [training.Phase(loss, optax.sgd(0.25))]  # halves it at every step
    >>> opt_states = (phases[0].optimizer.init(jnp.float32(1.0)),)
    >>> seed, count = jnp.uint32(0), jnp.int32(0)
    >>> state = training.State({"params": jnp.float32(1.0)}, opt_states, count, seed, {})
    >>> given = data.Dataset(jnp.ones((4, 1)), jnp.zeros(4, int))
    >>> after, metrics = training.epoch(phases, 2, state, given)  # of two batches
    >>> float(after.variables["params"]), int(after.epoch), float(metrics["loss"])
    (0.25, 1, 0.625)

    Raises:
        UserError: if a loss returns something else than a float, variables and metrics.
    """
    dataset = Dataset(*map(jnp.asarray, dataset))
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
            state, measured = update(phase, index, state, batch, phase_key)
            metrics |= measured
        return state, metrics

    state, metrics = lax.scan(step, state, (jnp.arange(len(indices)), indices))
    return state, jax.tree.map(jnp.mean, metrics)


def update(
    phase: Phase, index: int, state: State, batch: Dataset, key: Key
) -> tuple[State, Metrics]:
    """One step of one phase, the `index`th, on one batch: the state after it, and its metrics.

    Raises:
        UserError: if the loss returns something else than a float, variables and metrics.
    """
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
