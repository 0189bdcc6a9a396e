"""Phases: whose turn it is, what each trains and shares, on which images."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import models, training
from jaxadv.defences import decorrelation, regularised
from jaxadv.ensemble import stacked
from tests.training.made import ENSEMBLE, phase, run_of, trained


@pytest.mark.parametrize(
    ("turns", "total"), [("batches", 1 + 2 + 3 + 4), ("epochs", 4 + 4 + 4 + 4)]
)
def test_phases_take_turns_on_every_batch_or_after_all_of_them(digits, turns, total):
    """One adds 1 to a, the other adds a to b; four batches."""

    def adding(to, amount):
        def loss(variables, batch, key, epoch, settings):
            params = variables["params"]
            added = params[to] * jax.lax.stop_gradient(amount(params))
            return -added, (variables, {f"loss of {to}": added})

        return training.Phase(loss, optax.sgd(1.0))

    def zeros(key, example):
        return {"params": {"a": jnp.zeros(()), "b": jnp.zeros(())}}

    phases = [adding("a", lambda params: 1.0), adding("b", lambda params: params["a"])]
    state = training.init(zeros, phases, digits, [0, 1])
    ((after, metrics),) = training.fit(phases, state, digits, epochs=1, batch_size=100, turns=turns)
    assert after.variables["params"]["a"].tolist() == [4, 4]
    assert after.variables["params"]["b"].tolist() == [total, total]
    assert {"loss of a", "loss of b"} < set(metrics)


@pytest.mark.parametrize(("shares", "total"), [(None, 1.0), (0, 1.5)])
def test_a_phase_may_move_on_the_moments_of_another(digits, shares, total):
    """One has the gradient −1, the other none: with momentum 0.5 shared, it moves half as far."""

    def sloping(slope):
        def loss(variables, batch, key, epoch, settings):
            return slope * variables["params"]["a"], (variables, {})

        return training.Phase(loss, optax.sgd(1.0, momentum=0.5))

    phases = [sloping(-1.0), sloping(0.0)._replace(shares=shares)]
    state = training.init(lambda *_: {"params": {"a": jnp.zeros(())}}, phases, digits, [0])
    ((after, _),) = training.fit(phases, state, digits, epochs=1, batch_size=400)
    assert after.variables["params"]["a"].tolist() == [total]


def test_what_a_phase_does_not_train_stays(digits):
    def first_layer(path) -> bool:
        names = [getattr(entry, "key", None) for entry in path]
        return "params" in names and "linear1" in names

    frozen = phase()._replace(trainable=first_layer)
    state = training.init(ENSEMBLE.init, [frozen], digits, [0], {"strength": [0.0]})
    before = jax.tree.map(jnp.copy, run_of(state, 0).variables["params"])
    after, _ = trained(digits, None, None, epochs=1, state=state, phases=[frozen])
    params = run_of(after, 0).variables["params"]
    assert not np.array_equal(before["linear1"]["kernel"], params["linear1"]["kernel"])
    chex.assert_trees_all_equal(before["linear2"], params["linear2"])


def test_members_learn_the_batchs_task_on_the_images_they_are_shown(digits):
    """Shown black images, whatever the batch, they can learn the classes' frequencies alone."""

    def blank(variables, batch, key):
        return jnp.zeros_like(batch.images)

    def final_loss(**settings):
        phases = [regularised(ENSEMBLE, optax.adam(5e-3), **settings)]
        state = training.init(ENSEMBLE.init, phases, digits, [0])
        *_, (_, metrics) = training.fit(phases, state, digits, epochs=8, batch_size=100)
        return float(metrics["loss"][0]) / 2

    assert final_loss() < 0.7
    assert final_loss(shown=blank) > 2.2


def test_a_lone_member_is_trained_as_without_decorrelation(digits):
    lone = stacked(models.fc(widths=(16,), feature_block=1), 1)
    states = []
    for make in (decorrelation, regularised):
        phases = [make(lone, optax.adam(5e-3))]
        state = training.init(lone.init, phases, digits, [0], {"strength": [0.05]})
        *_, (state, _) = training.fit(phases, state, digits, epochs=1, batch_size=100)
        states.append(state.variables)
    chex.assert_trees_all_equal(*states)
