import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.losses import distance_loss, squared_distance

PARAMS = {"a": jnp.array([[1.0, 2.0], [0.0, 4.0]]), "b": {"c": jnp.array([[[3.0]], [[1.0]]])}}


def test_squared_distance_sums_over_every_leaf():
    np.testing.assert_allclose(squared_distance(PARAMS), 1 + 4 + 4)


@pytest.mark.parametrize(("target", "value"), [(9, 0), (10, 1), (4, 25)])
def test_distance_loss_by_hand(target, value):
    np.testing.assert_allclose(distance_loss(PARAMS, target), value)


def test_gradient_by_hand_and_opposite_for_the_two_members():
    gradient = jax.grad(distance_loss)(PARAMS, 4.0)
    # -4 (target - d) (θ1 - θ2), and its opposite for the second member
    np.testing.assert_allclose(gradient["a"], [[20.0, -40.0], [-20.0, 40.0]])
    np.testing.assert_allclose(gradient["b"]["c"], [[[40.0]], [[-40.0]]])


@pytest.mark.slow
def test_descent_draws_the_distance_to_the_target():
    params = PARAMS
    for _ in range(200):
        gradient = jax.grad(distance_loss)(params, 25.0)
        params = jax.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)
    np.testing.assert_allclose(squared_distance(params), 25.0, rtol=1e-4)
