"""What the defences' losses do to a pair in training, and what they cannot."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import training
from jaxadv.data import Dataset
from jaxadv.defences import parametric_distance, ramp
from jaxadv.losses import squared_distance
from tests.training.made import ENSEMBLE, phase, run_of, trained


@pytest.mark.slow
def test_training_learns_and_decorrelation_lowers_r_squared(digits):
    from jaxadv.ensemble import features
    from jaxadv.losses import r_squared

    state, metrics = trained(digits, [0, 0], [0.0, 0.2], epochs=25)
    assert np.all(np.asarray(metrics["accuracy"]) > 0.95)
    scores = []
    for number in (0, 1):
        read = jax.jit(lambda v, x: r_squared(*features(ENSEMBLE, v)(x / 255.0)))
        scores.append(float(read(run_of(state, number).variables, digits.images)))
    assert scores[1] < scores[0] - 0.2


def test_a_nan_of_the_correlation_loss_cannot_reach_the_plain_run(digits):
    """With λ = 0 the term is never computed: not 0 · NaN."""
    bad = phase(ridge=1e30)  # its square is infinite, and infinity times 0 is NaN
    state, _ = trained(digits, [0, 0], [0.0, 0.05], phases=[bad])
    chex.assert_tree_all_finite(run_of(state, 0).variables)
    with pytest.raises(AssertionError, match="non-finite"):
        chex.assert_tree_all_finite(run_of(state, 1).variables)


def test_a_nan_of_the_correlation_loss_cannot_reach_the_plain_run_under_vmap(digits):
    """There both branches run, forward and backward, and one result is selected."""
    bad = phase(ridge=1e30)  # its square is infinite, and infinity times 0 is NaN
    state = training.init(ENSEMBLE.init, [bad], digits, [0, 0], {"strength": [0.0, 0.05]})
    batch = Dataset(jnp.asarray(digits.images[:300]) / 255.0, jnp.asarray(digits.labels[:300]))

    def gradient(state):
        def loss(params):
            variables = {**state.variables, "params": params}
            return bad.loss(variables, batch, jax.random.key(0), state.epoch, state.varied)[0]

        return jax.grad(loss)(state.variables["params"])

    plain, poisoned = (run_of(jax.jit(jax.vmap(gradient))(state), n) for n in (0, 1))
    chex.assert_tree_all_finite(plain)
    with pytest.raises(AssertionError, match="non-finite"):
        chex.assert_tree_all_finite(poisoned)


def test_parametric_distance_is_drawn_to_its_target(digits):
    phases = [parametric_distance(ENSEMBLE, optax.adam(5e-3), strength=1e-3)]
    targets = [30.0, 120.0]
    state = training.init(ENSEMBLE.init, phases, digits, [0, 0], {"distance": targets})
    state, _ = trained(digits, None, None, epochs=30, state=state, phases=phases)
    for number, target in enumerate(targets):
        measured = float(squared_distance(run_of(state, number).variables["params"]))
        assert measured == pytest.approx(target, rel=0.1)


@pytest.mark.parametrize(
    ("epochs", "delay", "expected"),
    [(0, 0, [1, 1, 1]), (2, 0, [1 / 3, 2 / 3, 1]), (0, 2, [0, 0, 1]), (1, 1, [0, 0.5, 1])],
)
def test_ramp_by_hand(epochs, delay, expected):
    schedule = ramp(epochs, delay)
    np.testing.assert_allclose([schedule(jnp.asarray(e)) for e in range(3)], expected, atol=1e-7)
