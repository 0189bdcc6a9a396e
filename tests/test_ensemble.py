from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.ensemble import (
    callables,
    features,
    member,
    mixed,
    pathways,
    predict,
    stack,
    stacked,
)
from jaxadv.errors import UserError
from jaxadv.models import cnn, dna, fc, residual_classifier, residual_dna

KEY = jax.random.key(0)
FC = fc(4, (7, 6, 5, 3, 2))


@pytest.fixture(scope="module")
def x():
    return np.float32(np.random.default_rng(0).uniform(size=(9, 8, 8, 1)))


@pytest.fixture(scope="module")
def trio(x):
    ensemble = stacked(FC, 3)
    return ensemble, jax.jit(ensemble.init)(KEY, x)


fc_alone = jax.jit(FC.apply, static_argnames="train")


def close(actual, expected, atol=1e-6):
    chex.assert_trees_all_close(actual, expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("train", [False, True])
def test_stacked_is_each_member_alone(trio, x, train):
    ensemble, variables = trio
    outputs, updated = jax.jit(ensemble.apply, static_argnames="train")(variables, x, train=train)
    assert outputs.logits.shape == (3, 9, 4)
    assert [f.shape for f in outputs.features] == [(9, 3)] * 3
    for i in range(3):
        alone, alone_updated = fc_alone(member(variables, i), x, train=train)
        # nine images: a nearly dead unit's batch variance is tiny, and enlarges rounding errors
        atol = 1e-3 if train else 1e-6
        close(outputs.logits[i], alone.logits, atol)
        close(outputs.features[i], alone.taps["features"], atol)
        close(member(updated, i), alone_updated, atol)


def test_members_begin_apart(trio):
    _, variables = trio
    kernel = variables["params"]["linear1"]["kernel"]
    assert all(np.max(np.abs(kernel[i] - kernel[j])) > 0.01 for i, j in [(0, 1), (0, 2), (1, 2)])


def test_stack_undoes_member(trio):
    _, variables = trio
    again = stack([member(variables, i) for i in range(3)])
    chex.assert_trees_all_equal(again, variables)


def test_spatial_features_are_flattened_per_image(x):
    ensemble = stacked(cnn(), 2)
    variables = jax.eval_shape(ensemble.init, KEY, x)
    outputs, _ = jax.eval_shape(ensemble.apply, variables, x)
    assert [f.shape for f in outputs.features] == [(9, 64)] * 2


def test_mixed_joins_groups_in_order(trio, x):
    group, variables = trio
    other = stacked(fc(4, (4, 4, 4, 4, 4)), 1)
    joined = mixed([group, other])
    both = (variables, jax.jit(other.init)(KEY, x))
    outputs, updated = jax.jit(partial(joined.apply, train=True))(both, x)
    assert joined.size == 4
    parts = [
        jax.jit(partial(e.apply, train=True))(v, x)
        for e, v in zip((group, other), both, strict=True)
    ]
    close(outputs.logits, jnp.concatenate([o.logits for o, _ in parts]))
    close(list(outputs.features), [f for o, _ in parts for f in o.features])
    close(updated, tuple(u for _, u in parts))
    chex.assert_trees_all_equal_shapes(jax.eval_shape(joined.init, KEY, x), both)


def test_callables_are_their_own_logits_and_features(x):
    ensemble = callables([lambda x: x[:, 0, :3, 0], lambda x: 2 * x[:, 1, :3, 0]])
    outputs, variables = ensemble.apply(ensemble.init(KEY, x), x, train=True, key=KEY)
    assert (ensemble.size, variables) == (2, ())
    np.testing.assert_array_equal(outputs.logits, [x[:, 0, :3, 0], 2 * x[:, 1, :3, 0]])
    np.testing.assert_array_equal(outputs.features[1], 2 * x[:, 1, :3, 0])


def test_callables_join_a_mixed_ensemble(trio, x):
    group, variables = trio
    joined = mixed([group, callables([lambda x: x[:, 0, :4, 0]])])
    outputs, _ = jax.jit(joined.apply)((variables, ()), x)
    close(outputs.logits[3], x[:, 0, :4, 0])
    close(outputs.logits[:3], jax.jit(predict(group, variables))(x))


def test_pathways_are_read_by_one_classifier(x):
    autoencoder = dna(2, 2, (5, 4, 3, 4, 5))
    ensemble = pathways(autoencoder, FC)
    variables = jax.jit(ensemble.init)(KEY, x)
    outputs, updated = jax.jit(ensemble.apply)(variables, x)
    chex.assert_trees_all_equal(updated, variables)
    made, _ = jax.jit(autoencoder.model.apply)(variables["autoencoder"], x)
    chex.assert_shape(outputs.logits, (2, 9, 4))
    for neck in range(2):
        read, _ = fc_alone(variables["classifier"], made.reconstruction[neck])
        close(outputs.logits[neck], read.logits)
        close(outputs.features[neck], made.taps["features"][neck])
    close(outputs.reconstructions, made.reconstruction)

    alone, chosen = ensemble.pick(variables, (1,))
    close(jax.jit(predict(alone, chosen))(x), outputs.logits[1:])


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["", "autoencoder", "classifier"])
def test_the_part_of_a_pathway_that_is_not_trained_stays_in_eval_mode(rng, trained):
    """Its BatchNorm statistics stay, and its outputs are those of eval mode."""
    x = jnp.asarray(np.float32(rng.uniform(size=(4, 8, 8, 1))))
    ensemble = pathways(residual_dna(2), residual_classifier(4), trained)
    variables = jax.jit(ensemble.init)(KEY, x)
    _, updated = jax.jit(partial(ensemble.apply, train=True))(variables, x)
    for part in ("autoencoder", "classifier"):
        before, after = (v[part]["batch_stats"] for v in (variables, updated))
        equal = jax.tree.map(lambda a, b: bool(np.all(a == b)), before, after)
        stays = trained not in ("", part)
        assert all(jax.tree.leaves(equal)) is stays, part


@pytest.mark.parametrize("indices", [(0,), (2, 0), (3, 1)])
def test_picked_members_are_those_members(trio, x, indices):
    group, variables = trio
    other = callables([lambda x: x[:, 0, :4, 0]])
    for ensemble, v in ((group, variables), (mixed([group, other]), (variables, ()))):
        if max(indices) < ensemble.size:
            chosen, picked = ensemble.pick(v, indices)
            assert chosen.size == len(indices)
            whole = jax.jit(predict(ensemble, v))(x)
            close(jax.jit(predict(chosen, picked))(x), np.asarray(whole)[np.array(indices)])


def test_predict_and_features_run_in_eval_mode(trio, x):
    ensemble, variables = trio
    outputs, _ = jax.jit(partial(ensemble.apply, train=False))(variables, x)
    logits = jax.jit(predict(ensemble, variables))
    close(logits(x), outputs.logits)
    close(jax.jit(features(ensemble, variables))(x), outputs.features)
    close(logits(x[:1]), outputs.logits[:, :1])  # no batch statistics


@pytest.mark.parametrize("size", [0, -1])
def test_no_members_is_an_error(size):
    with pytest.raises(UserError, match=f"an ensemble of {size} members"):
        stacked(FC, size)


def test_a_feature_that_the_model_has_not_is_refused_by_name(x):
    renamed = stacked(FC._replace(feature="linear1"))
    with pytest.raises(UserError, match=r"feature 'linear1': the model has \['features'\]"):
        jax.eval_shape(renamed.apply, jax.eval_shape(renamed.init, KEY, x), x)
