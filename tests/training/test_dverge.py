"""DVERGE: what is distilled, who learns from it, and what stays as it is."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import models, training
from jaxadv.attacks import Attack, resembling
from jaxadv.data import Dataset, load_dataset
from jaxadv.defences import dverge
from jaxadv.ensemble import callables, features, mixed, stacked
from jaxadv.errors import UserError
from jaxadv.training import epochs

MODEL = models.fc(widths=(32, 24, 16), feature_block=2)
PAIR = stacked(MODEL)
KEY = jax.random.key(0)
EPS = 0.2
ATTACK = Attack(EPS, 0.05, 6)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    train = load_dataset("digits").train
    return Dataset(train.images[:200], train.labels[:200])


@pytest.fixture(scope="module")
def batch(digits) -> Dataset:
    return Dataset(jnp.asarray(digits.images[:40]) / 255.0, jnp.asarray(digits.labels[:40]))


def state_of(ensemble, phases, digits):
    """One run's state before training, without the axis of runs."""
    state = training.init(ensemble.init, phases, digits, [3])
    return jax.jit(lambda state: jax.tree.map(lambda leaf: leaf[0], state))(state)


def recipe(ensemble=PAIR, **settings):
    return dverge(ensemble, optax.adam(1e-2), eps=EPS, step_size=0.05, steps=6, **settings)


def test_direction_of_linear_features_by_hand(rng):
    weights, wanted = np.float32(rng.normal(size=(9, 4))), np.float32(rng.normal(size=(5, 4)))
    x = np.float32(rng.uniform(size=(5, 3, 3, 1)))
    direction = resembling(lambda x: x.reshape(len(x), -1) @ weights, wanted)
    value, ascent = jax.jit(direction)(x)
    away = x.reshape(5, 9) @ weights - wanted
    np.testing.assert_allclose(value, -np.mean(away**2, 1), rtol=1e-5)
    np.testing.assert_allclose(ascent.reshape(5, 9), -0.5 * away @ weights.T, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_each_member_is_shown_what_the_other_takes_for_another_image(digits, batch):
    """In the ball; nearer to the other image in the other's features; with the first's label."""
    phases = recipe()
    state = state_of(PAIR, phases, digits)
    order = jax.random.permutation(KEY, 40)
    for learner, other in ((0, 1), (1, 0)):
        shown = jax.jit(phases[learner].transform)(state, batch, KEY)
        np.testing.assert_array_equal(shown.labels, batch.labels)
        assert np.abs(shown.images - batch.images).max() <= EPS + 1e-6
        source, chosen = PAIR.pick(state.variables, (other,))
        read = lambda x, s=source, c=chosen: features(s, c)(x)[0]  # noqa: E731
        wanted = read(batch.images[order])
        before, after = (
            np.mean((read(x) - wanted) ** 2, axis=1) for x in (batch.images, shown.images)
        )
        moved = np.asarray(order) != np.arange(40)
        assert np.mean(after[moved] < before[moved]) > 0.9  # signed steps overshoot what is near
        expected = ATTACK(resembling(read, wanted), batch.images)
        np.testing.assert_allclose(shown.images, expected, atol=1e-6)


def test_a_phase_leaves_the_other_members_as_they_are(digits, batch):
    """Weights and BatchNorm statistics, to the bit, Adam's moments notwithstanding."""
    phases = recipe()
    state = state_of(PAIR, phases, digits)
    for index, phase in enumerate(phases):
        update = jax.jit(lambda s, p=phase, i=index: epochs.update(p, i, s, batch, KEY)[0])
        after = update(update(state)).variables
        for member in (0, 1):
            here, there = (
                jax.tree.map(lambda leaf, m=member: np.asarray(leaf)[m], v)
                for v in (after, state.variables)
            )
            if member == index:
                changed = jax.tree.map(lambda a, b: bool(np.any(a != b)), here, there)
                assert changed["batch_stats"]["norm1"]["mean"]
                assert changed["params"]["linear1"]["kernel"]
            else:
                chex.assert_trees_all_equal(here, there)


def test_of_three_members_each_sees_two_versions(digits, batch):
    trio = stacked(MODEL, 3)
    phases = recipe(trio)
    state = state_of(trio, phases, digits)
    shown = jax.jit(phases[1].transform)(state, batch, KEY)
    assert shown.images.shape == (80, 8, 8, 1)
    np.testing.assert_array_equal(shown.labels, np.tile(batch.labels, 2))
    loss, (_, metrics) = jax.jit(phases[1].loss)(state.variables, shown, KEY, 0, {})
    assert loss > 0
    assert set(metrics) == {"accuracy 2"}


def test_members_of_different_architectures(digits, batch):
    other = models.fc(widths=(20, 12, 8), feature_block=2)
    both = mixed([stacked(MODEL, 1), stacked(other, 1)])
    phases = recipe(both)
    state = state_of(both, phases, digits)
    after = jax.jit(lambda s: epochs.update(phases[1], 1, s, batch, KEY)[0])(state).variables
    chex.assert_trees_all_equal(after[0], state.variables[0])
    assert np.any(after[1]["batch_stats"]["norm1"]["mean"] != 0)


def test_the_layer_is_drawn_for_each_epoch(digits, batch):
    seen = [PAIR, stacked(models.fc(widths=(32, 24, 16), feature_block=1))]
    phases = recipe(layers=seen)
    single = [recipe(layers=[each])[0] for each in seen]
    state = state_of(PAIR, phases, digits)
    shown = jax.jit(phases[0].transform)
    alone = [jax.jit(phase.transform) for phase in single]
    drawn = []
    for epoch in range(8):
        at = state._replace(epoch=jnp.asarray(epoch))
        images = shown(at, batch, KEY).images
        same = [np.array_equal(images, one(at, batch, KEY).images) for one in alone]
        assert sum(same) == 1
        drawn.append(same.index(True))
    assert set(drawn) == {0, 1}


@pytest.mark.parametrize("model", [models.cnn, models.fc], ids=["cnn", "fc"])
def test_every_layer_of_a_network_can_be_drawn(model, digits, batch):
    pair, blocks = stacked(model()), (1, 2, 3)
    phases = recipe(pair, layers=[stacked(model(feature_block=block)) for block in blocks])
    images = jax.jit(phases[0].transform)(state_of(pair, phases, digits), batch, KEY).images
    assert images.shape == batch.images.shape
    assert 0 < float(jnp.abs(images - batch.images).max()) < EPS + 1e-6


@pytest.mark.slow
def test_training_teaches_both_members(digits):
    phases = recipe()
    state = training.init(PAIR.init, phases, digits, [0, 1])
    *_, (state, metrics) = training.fit(phases, state, digits, epochs=8, batch_size=50)
    for name in ("accuracy 1", "accuracy 2"):
        assert np.all(np.asarray(metrics[name]) > 0.6)


def test_one_member_has_nobody_to_learn_from():
    with pytest.raises(UserError, match=r"DVERGE of 1 member\(s\): give at least 2"):
        recipe(stacked(MODEL, 1))


def test_put_undoes_pick(digits, batch):
    x = batch.images[:1]
    one, two = stacked(MODEL, 2), stacked(models.fc(widths=(20, 12, 8), feature_block=2), 1)
    both = mixed([one, two])
    for ensemble, indices in ((one, (1,)), (both, (2, 0))):
        init = jax.jit(ensemble.init)
        variables, other = (init(jax.random.key(seed), x) for seed in (0, 1))
        put = jax.jit(lambda v, o, e=ensemble, i=indices: e.put(v, i, e.pick(o, i)[1]))
        pick = jax.jit(lambda v, m, e=ensemble: e.pick(v, (m,))[1], static_argnums=1)
        swapped = put(variables, other)
        for member in range(ensemble.size):
            source = other if member in indices else variables
            chex.assert_trees_all_equal(pick(swapped, member), pick(source, member))
    functions = callables([lambda x: x, lambda x: x])
    with pytest.raises(UserError, match="plain functions have no weights to train"):
        functions.put((), (0,), ())
