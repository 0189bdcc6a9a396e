"""Angles and lengths of input gradients: closed forms, and members alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import models
from jaxadv.ensemble import callables, mixed, predict, stacked
from jaxadv.errors import UserError
from jaxadv.losses import cross_entropy, log_odds, margins
from jaxadv.losses.gradients import (
    cosines,
    input_gradients,
    norm_gap,
    probability_gradient_norms,
)
from tests.training.test_gradients import Smooth

RNG = np.random.default_rng(4)
WEIGHTS = np.float32(RNG.normal(size=(2, 9, 2)))  # two linear members of two classes
X = np.float32(RNG.uniform(size=(5, 3, 3, 1)))
Y = np.array([0, 1, 1, 0, 1])
NORMALS = WEIGHTS[:, :, 1] - WEIGHTS[:, :, 0]


gradients_of = jax.jit(input_gradients, static_argnums=0)


def linear(weights):
    return lambda x: x.reshape(len(x), -1) @ weights


def test_log_odds_and_margins_by_hand():
    logits = np.float32([[[2.0, 0.5, -1.0]], [[0.0, 3.0, 1.0]]])
    expected = [[2 - np.log(np.exp(0.5) + np.exp(-1))], [0 - np.log(np.exp(3) + np.exp(1))]]
    np.testing.assert_allclose(log_odds(logits, np.array([0])), expected, rtol=1e-6)
    np.testing.assert_allclose(margins(logits, np.array([0])), [[-1.5], [3.0]])


def test_log_odds_do_not_saturate_where_the_probability_is_one():
    logits = jnp.float32([[200.0, 0.0, 0.0]])
    gradient = jax.grad(lambda z: log_odds(z, jnp.array([0])).sum())(logits)
    np.testing.assert_allclose(gradient, [[1.0, -0.5, -0.5]])


def test_gradients_of_linear_members_are_their_normals():
    ensemble = callables([linear(w) for w in WEIGHTS])
    odds, gradients = input_gradients(ensemble, (), X, Y)
    sign = np.where(Y == 1, 1, -1)
    expected = sign[None, :, None] * NORMALS[:, None, :]
    np.testing.assert_allclose(gradients, expected, rtol=1e-5)
    np.testing.assert_allclose(odds, sign * (NORMALS @ X.reshape(5, 9).T), rtol=1e-4)
    lengths = np.linalg.norm(NORMALS, axis=1)
    angle = NORMALS[0] @ NORMALS[1] / lengths.prod()
    np.testing.assert_allclose(cosines(gradients), np.full((1, 5), angle), rtol=1e-5)
    p = 1 / (1 + np.exp(-np.asarray(odds, float)))
    norms = probability_gradient_norms(odds, gradients)
    np.testing.assert_allclose(norms, p * (1 - p) * lengths[:, None], rtol=1e-4)
    np.testing.assert_allclose(norm_gap(norms), np.mean((norms[0] - norms[1]) ** 2), rtol=1e-6)


def test_the_angle_is_that_of_the_probabilities_and_of_the_losses():
    """But for a sign that both members share: ∇p = p (1 − p) ∇m and ∇CE = −(1 − p) ∇m."""
    ensemble = stacked(models.from_linen(Smooth()))
    x, y = np.float32(RNG.uniform(size=(6, 4, 4, 1))), RNG.integers(0, 3, 6)
    variables = jax.jit(ensemble.init)(jax.random.key(0), x)
    made = predict(ensemble, variables)
    measured = jax.jit(lambda x: cosines(input_gradients(ensemble, variables, x, y)[1]))(x)
    for output in (
        lambda x: jax.nn.softmax(made(x))[:, np.arange(6), y],
        lambda x: cross_entropy(made(x), y),
    ):
        slopes = jax.jit(jax.jacrev(lambda x, f=output: f(x).sum(1)))(x)
        expected = cosines(slopes.reshape(2, 6, -1))
        np.testing.assert_allclose(measured, expected, atol=1e-4)


def test_stacked_and_mixed_members_have_the_gradients_of_each_alone():
    x, y = np.float32(RNG.uniform(size=(4, 4, 4, 1))), np.array([1, 2, 0, 1])
    model = models.from_linen(Smooth())
    pair = stacked(model)
    variables = jax.jit(pair.init)(jax.random.key(1), x)
    together = gradients_of(pair, variables, x, y)
    alone = [stacked(model, 1)] * 2
    split = tuple(jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], variables) for i in (0, 1))
    apart = gradients_of(mixed(alone), split, x, y)
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_no_gradient_gives_zeros_and_no_nan():
    gradients = jnp.zeros((2, 3, 4)).at[0, 0].set(1.0)
    np.testing.assert_array_equal(cosines(gradients), np.zeros((1, 3)))

    def total(g):
        norms = probability_gradient_norms(jnp.zeros((2, 3)), g)
        return jnp.sum(cosines(g)) + jnp.sum(norms)

    slope = jax.jit(jax.grad(total))(gradients)
    assert np.isfinite(slope).all()


def test_one_member_has_no_angle():
    for function, shape in ((cosines, (1, 3, 4)), (norm_gap, (1, 3))):
        with pytest.raises(UserError, match=r"gradients of 1 member\(s\) to compare"):
            function(jnp.ones(shape))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "side"), [(models.cnn, 8), (models.lenet, 10)])
def test_lengths_of_a_network_that_takes_its_batch_in_chunks_are_differentiated(model, side):
    """Twice through a loop: the mean of the gradients on batches too small for chunks."""
    ensemble = stacked(model(10))
    x = jax.random.uniform(jax.random.key(0), (100, side, side, 1))
    y = jnp.arange(100) % 10
    variables = jax.jit(ensemble.init)(jax.random.key(1), x[:1])

    def length(variables, x, y):
        norms = probability_gradient_norms(*input_gradients(ensemble, variables, x, y))
        return jnp.mean(norms)

    gradient = jax.jit(jax.grad(length))  # one program a shape
    whole = gradient(variables, x, y)
    parts = [gradient(variables, x[i : i + 20], y[i : i + 20]) for i in range(0, 100, 20)]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *parts)
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(mean))
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(mean), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * scale)
