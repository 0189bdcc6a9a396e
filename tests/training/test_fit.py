"""`fit`: what a seed decides, that runs do not touch each other, and that resuming is exact."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import training
from jaxadv.data import Dataset
from jaxadv.data.batches import epoch_indices
from jaxadv.defences import decorrelation
from jaxadv.losses import accuracy
from tests.training.made import ENSEMBLE, phase, run_of, trained


def test_epoch_indices_cover_every_example_once_but_the_remainder():
    indices = np.asarray(epoch_indices(jax.random.key(0), 103, 10))
    assert indices.shape == (10, 10)
    assert len(np.unique(indices)) == 100


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_runs_beside_it(digits):
    # not Adam, whose first steps turn a gradient's rounding into whole steps
    options = {"epochs": 1, "phases": [decorrelation(ENSEMBLE, optax.sgd(0.05))]}
    together, _ = trained(digits, [0, 1, 0], [0.0, 0.05, 0.05], **options)
    alone, _ = trained(digits, [1], [0.05], **options)
    np.testing.assert_array_equal(run_of(together, 1).seed, run_of(alone, 0).seed)
    chex.assert_trees_all_close(
        run_of(together, 1).variables, run_of(alone, 0).variables, atol=1e-5
    )


def test_runs_of_one_seed_begin_at_the_same_weights(digits):
    state = training.init(ENSEMBLE.init, [phase()], digits, [3, 3, 4], {"strength": [0, 1, 0]})
    chex.assert_trees_all_equal(run_of(state, 0).variables, run_of(state, 1).variables)
    with pytest.raises(AssertionError, match="differ"):
        chex.assert_trees_all_equal(run_of(state, 0).variables, run_of(state, 2).variables)


def test_stopping_and_going_on_equals_one_training_to_the_bit(digits):
    straight, _ = trained(digits, [0, 1], [0.05, 0.0], epochs=4)
    half, _ = trained(digits, [0, 1], [0.05, 0.0], epochs=2)
    resumed, _ = trained(digits, None, None, epochs=4, state=half)
    chex.assert_trees_all_equal(straight, resumed)


def test_one_step_equals_the_update_written_out(digits):
    """A phase's step against optax applied by hand to the same batch; no Adam, whose first step
    divides a gradient by itself and so doubles its rounding."""
    phases = [decorrelation(ENSEMBLE, optax.sgd(0.1))]
    state = training.init(ENSEMBLE.init, phases, digits, [5], {"strength": [0.0]})
    before = run_of(state, 0)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(before.seed), 1), 0)
    indices = epoch_indices(jax.random.split(key)[0], 400, 400)[0]
    x, y = jnp.asarray(digits.images)[indices] / 255.0, jnp.asarray(digits.labels)[indices]

    def loss(params):
        variables = {**before.variables, "params": params}
        logits = ENSEMBLE.apply(variables, x, train=True, key=None)[0].logits
        picked = jax.nn.log_softmax(logits)[:, jnp.arange(400), y]
        return -picked.mean(-1).sum()

    @jax.jit
    def stepped(params):
        optimizer, gradient = phases[0].optimizer, jax.grad(loss)(params)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return optax.apply_updates(params, updates)

    expected = stepped(before.variables["params"])
    (after, _), *_ = list(training.fit(phases, state, digits, epochs=1, batch_size=400))
    chex.assert_trees_all_close(run_of(after, 0).variables["params"], expected, atol=1e-6)


def test_onward_keeps_the_variables_and_begins_again(digits):
    state, _ = trained(digits, [0, 1], [0.0, 0.05])
    kept = jax.tree.map(np.asarray, state.variables)
    phases = [phase()]
    begun = training.onward(state, phases)
    chex.assert_trees_all_equal(begun.variables, state.variables)
    fresh = training.init(ENSEMBLE.init, phases, digits, [0, 1], {"strength": [0.0, 0.05]})
    chex.assert_trees_all_equal(begun.opt_states, fresh.opt_states)
    assert begun.epoch.tolist() == [0, 0]
    *_, _ = training.fit(phases, begun, digits, epochs=1, batch_size=100)
    chex.assert_trees_all_equal(state.variables, kept)  # not donated with the new state


def test_an_epoch_takes_arrays_of_numpy():
    """SGD of rate 1 moves the one weight onto the mean label of its batch."""

    def loss(weights, batch, key, epoch, varied):
        away = weights["params"] - batch.labels.astype(jnp.float32).mean()
        return away**2 / 2, (weights, {})

    phases = [training.Phase(loss, optax.sgd(1.0))]
    opt_states = (phases[0].optimizer.init(jnp.float32(5.0)),)
    state = training.State(
        {"params": jnp.float32(5.0)}, opt_states, jnp.int32(0), jnp.uint32(0), {}
    )
    data = Dataset(np.ones((4, 1), np.float32), np.full(4, 3))
    after, metrics = training.epoch(phases, 1, state, data)
    assert float(after.variables["params"]) == 3.0
    assert float(metrics["loss"]) == 0.5  # 2 squared, halved, then 0 three times


def test_nan_is_not_right():
    assert accuracy(jnp.array([[[jnp.nan, 0.0], [1.0, 0.0]]]), np.array([0, 0])).tolist() == [0.5]
