import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.losses import (
    correlation_loss,
    ensemble_correlation,
    held_out_r_squared,
    kept_columns,
    r_squared,
    regress,
)
from jaxadv.losses.correlation import sketch
from jaxadv.losses.regression import RIDGE
from tests.data.fixtures import assert_one_line
from tests.losses.made import features

EPS = 1e-3
SHAPE = (60, 16)  # of most tests: compiling takes their time


@jax.jit
def loss_and_gradients(z1, z2, ridge=RIDGE):
    loss = lambda z1, z2: correlation_loss(z1, z2, ridge=ridge)  # noqa: E731
    return jax.value_and_grad(loss, argnums=(0, 1))(z1, z2)


def exact(z1, z2):
    return loss_and_gradients(z1, z2, 0.0)[0]


@jax.jit
def fit(z1, z2, ridge=RIDGE):
    return regress(z1, z2, ridge=ridge)


def sums_of_squares(z1, z2):
    """Residual and centred total in float64, by numpy's least squares."""
    z1, z2 = np.asarray(z1, float), np.asarray(z2, float)
    design = np.column_stack([z1, np.ones(len(z1))])
    residual = z2 - design @ np.linalg.lstsq(design, z2, rcond=1e-10)[0]
    return np.sum(residual**2), np.sum((z2 - z2.mean(0)) ** 2)


def test_by_hand():
    z1 = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    z2 = np.array([[0.0], [1.0], [1.0], [4.0]], np.float32)
    # means 1.5 and 1.5, S_xy = 6, S_xx = 5, S_yy = 9: residual 9 - 36/5
    np.testing.assert_allclose(exact(z1, z2), np.log(9 + EPS) - np.log(1.8 + EPS), rtol=1e-5)
    uncentred = correlation_loss(z1, z2, ridge=0.0, total="uncentred")
    np.testing.assert_allclose(uncentred, np.log(18 + EPS) - np.log(1.8 + EPS), rtol=1e-5)
    np.testing.assert_allclose(r_squared(z1, z2), 0.8, rtol=1e-6)
    np.testing.assert_allclose(r_squared(z1, z2, total="uncentred"), 0.9, rtol=1e-6)
    line = regress(z1, z2)
    np.testing.assert_allclose([line.weights[0, 0], line.intercept[0]], [1.2, -0.3], rtol=1e-5)


def test_duplicates_drop_exactly_the_later_copy(rng):
    z = rng.normal(size=(50, 6)).astype(np.float32)
    z[:, 4], z[:, 5] = z[:, 1], 2 * z[:, 0] - z[:, 2]
    np.testing.assert_array_equal(kept_columns(z), [True, True, True, True, False, False])


def test_dropped_columns_have_no_weight_and_no_gradient():
    z1, z2 = features(*SHAPE, kind="duplicated")
    fitted = fit(z1, z2)
    dropped = ~np.asarray(fitted.keep)
    np.testing.assert_array_equal(np.flatnonzero(dropped), [3, 7, 11, 15])
    np.testing.assert_array_equal(kept_columns(z1), fitted.keep)
    assert not np.any(np.asarray(fitted.weights)[dropped])
    assert not np.any(np.asarray(loss_and_gradients(z1, z2)[1][0])[:, dropped])


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_sign_of_the_diagonal_does_not_matter(rng, sign):
    z = rng.normal(size=(40, 5)).astype(np.float32)
    z *= sign * np.sign(np.diagonal(np.linalg.qr(z, mode="r")))
    assert np.all(np.sign(np.diagonal(np.linalg.qr(z, mode="r"))) == sign)
    assert np.all(kept_columns(z))


@pytest.mark.parametrize("dead", ["first", "second", "both"])
def test_dead_features_give_zero_and_no_gradient(dead):
    z1, z2 = features(*SHAPE)
    z1 = np.zeros_like(z1) if dead in ("first", "both") else z1
    z2 = np.zeros_like(z2) if dead in ("second", "both") else z2
    value, gradients = loss_and_gradients(z1, z2)
    np.testing.assert_allclose(value, 0, atol=1e-6)
    for gradient in gradients:
        np.testing.assert_allclose(gradient, 0, atol=1e-6)
    assert np.all(kept_columns(z1)) == (dead == "second")


@pytest.mark.parametrize("ridge", [0.0, RIDGE])
def test_constant_columns_change_nothing(ridge):
    z1, z2 = features(*SHAPE)
    constant, zero = z1.copy(), z1.copy()
    constant[:, [2, 9]], zero[:, [2, 9]] = 2.5, 0  # the second copy is not even kept
    expected, wanted = loss_and_gradients(zero, z2, ridge)
    actual, gradients = loss_and_gradients(constant, z2, ridge)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    for got, want in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4 * np.max(np.abs(want)))
    assert np.max(np.abs(fit(constant, z2, ridge).weights)) < 10


@pytest.mark.parametrize(("n", "fails"), [(8, True), (9, True), (10, False)])
def test_more_samples_than_features_and_intercept(rng, n, fails):
    z = rng.normal(size=(n, 8)).astype(np.float32)
    for function in (correlation_loss, r_squared, regress):
        if not fails:
            jax.eval_shape(function, z, z)
            continue
        with pytest.raises(UserError) as error:
            function(z, z)
        assert_one_line(error, f"{n} samples", "8 features", "above 9")


def test_only_the_predictor_must_be_narrow(rng):
    z1, z2 = (np.float32(rng.normal(size=(12, d))) for d in (2, 40))
    residual, total = sums_of_squares(z1, z2)
    np.testing.assert_allclose(r_squared(z1, z2), 1 - residual / total, rtol=1e-5)


@pytest.mark.parametrize("shapes", [((9, 2), (8, 2)), ((9, 2, 2), (9, 4)), ((9,), (9, 1))])
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(UserError) as error:
        correlation_loss(*(np.ones(shape, np.float32) for shape in shapes))
    assert_one_line(error, *shapes)


@pytest.mark.parametrize(
    ("regress", "pairs"),
    [
        ("forward", [(0, 1), (0, 2), (1, 2)]),
        ("backward", [(1, 0), (2, 0), (2, 1)]),
        ("both", [(0, 1), (0, 2), (1, 2), (1, 0), (2, 0), (2, 1)]),
    ],
)
def test_ways_to_regress_three_members(regress, pairs):
    z1, z2 = features(60, 2)
    members = (z1[:, :1], z2, np.tanh(z1 + z2)[:, :1])
    sums = [sums_of_squares(members[i], members[j]) for i, j in pairs]
    expected = np.mean([np.log(total + EPS) - np.log(residual + EPS) for residual, total in sums])
    actual = jax.jit(lambda z: ensemble_correlation(z, regress=regress, ridge=0.0))(members)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_bad_ways_to_regress_and_lone_members_are_named():
    z1, z2 = features(10, 2)
    with pytest.raises(UserError) as error:
        ensemble_correlation((z1, z2), regress="sideways")
    assert_one_line(error, "sideways", "forward")
    with pytest.raises(UserError) as error:
        ensemble_correlation((z1,))
    assert_one_line(error, "1 member", "at least 2")


@pytest.mark.parametrize("live", [0, 1, 2, 3, 4, 5, 8, 9, 12, 13, 16])
def test_every_bucket_of_live_columns_gives_least_squares(live):
    z1, z2 = features(*SHAPE, seed=live)
    z1[:, np.random.default_rng(live).permutation(16)[live:]] = 0
    residual, total = sums_of_squares(z1, z2)
    expected = np.log(total + EPS) - np.log(residual + EPS)
    np.testing.assert_allclose(exact(z1, z2), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("live", [[0, 1, 2], [1, 8, 15], [13, 14, 15], [5, 6, 9]], ids=str)
def test_inserting_zero_columns_changes_nothing(live):
    z1, z2 = features(*SHAPE)
    wide = np.zeros_like(z1)
    wide[:, live] = z1[:, :3]
    value, gradients = loss_and_gradients(z1[:, :3], z2)
    wide_value, (wide_gradient, wide_gradient2) = loss_and_gradients(wide, z2)
    np.testing.assert_allclose(wide_value, value, rtol=1e-5)
    np.testing.assert_allclose(wide_gradient[:, np.array(live)], gradients[0], atol=1e-6)
    assert not np.any(np.delete(wide_gradient, live, axis=1))
    np.testing.assert_allclose(wide_gradient2, gradients[1], atol=1e-6)


def test_permuting_columns_changes_nothing(rng):
    z1, z2 = features(*SHAPE)
    order = rng.permutation(16)
    value, gradients = loss_and_gradients(z1, z2)
    permuted_value, permuted = loss_and_gradients(z1[:, order], z2)
    np.testing.assert_allclose(permuted_value, value, rtol=1e-5)
    np.testing.assert_allclose(permuted[0], gradients[0][:, order], atol=1e-6)


def test_gradients_by_finite_differences_in_float64(rng):
    """With no ridge, where the stated derivative is that of the whole function."""
    z1, z2 = (z.astype(float) for z in features(14, 3))
    z1[:, 2] = z1[:, 0]
    move = rng.normal(size=(2, 14, 3))
    move[0, :, 2] = move[0, :, 0]  # the dropped copy stays a copy: alone it has no derivative
    with jax.enable_x64(True):
        _, gradients = loss_and_gradients(z1, z2, 0.0)
        slope = sum(np.vdot(g, m) for g, m in zip(gradients, move, strict=True))
        ahead, behind = (float(exact(z1 + h * move[0], z2 + h * move[1])) for h in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-7)


def test_the_ridge_is_relative_to_the_largest_singular_value():
    z1, z2 = features(*SHAPE)
    largest = np.linalg.svd(np.column_stack([z1, np.ones(60)]), compute_uv=False)[0]
    mu = (0.1 * largest) ** 2
    a, b = (z.astype(float) - z.mean(0) for z in (z1, z2))
    w = np.linalg.solve(a.T @ a + mu * np.eye(16), a.T @ b)
    fitted = fit(z1, z2, 0.1)
    np.testing.assert_allclose(fitted.mu, mu, rtol=1e-3)
    np.testing.assert_allclose(fitted.weights, w, rtol=1e-3, atol=1e-4)
    residual = np.sum((b - a @ w) ** 2) + mu * np.sum(w**2)
    expected = np.log(np.sum(b**2) + EPS) - np.log(residual + EPS)
    np.testing.assert_allclose(loss_and_gradients(z1, z2, 0.1)[0], expected, rtol=1e-4)


def test_r_squared_of_an_affine_map_is_one(rng):
    z1 = rng.normal(size=(60, 2)).astype(np.float32)
    z2 = (z1 @ rng.normal(size=(2, 7)) + rng.normal(size=7)).astype(np.float32)
    np.testing.assert_allclose(r_squared(z1, z2), 1, atol=1e-5)
    np.testing.assert_allclose(held_out_r_squared(z1, z2), [1, 1], atol=1e-5)


def test_r_squared_of_independent_features_is_inflated_and_held_out_is_not(rng):
    z1, z2 = rng.normal(size=(2, 500, 196)).astype(np.float32)
    inside, outside = held_out_r_squared(z1, z2)
    np.testing.assert_allclose(inside, 196 / 249, atol=0.01)  # E R² = D / (N - 1)
    assert outside == 0  # floored: the residual is some four times the total


def test_held_out_r_squared_is_that_of_the_first_half_on_the_second():
    z1, z2 = features(200, 2)
    z2[100:] += 0.5  # the total is about the second half's own mean
    design = np.column_stack([z1, np.ones(200)]).astype(float)
    w = np.linalg.lstsq(design[:100], z2[:100].astype(float), rcond=None)[0]
    error, about = z2[100:] - design[100:] @ w, z2[100:] - z2[100:].mean(0)
    residual, total = sums_of_squares(z1[:100], z2[:100])
    expected = [1 - residual / total, 1 - np.sum(error**2) / np.sum(about**2)]
    np.testing.assert_allclose(held_out_r_squared(z1, z2), expected, rtol=1e-4)
    assert 0.1 < expected[1] < 0.9


def test_r_squared_of_constant_features_is_not_a_number(rng):
    z1 = np.float32(rng.normal(size=(20, 1)))
    assert np.isnan(r_squared(z1, np.ones_like(z1)))


def test_sketches_are_random_directions_of_the_expected_length(rng):
    z = rng.normal(size=(50, 300)).astype(np.float32)
    first, second = sketch((z, z), 40, jax.random.key(0))
    assert first.shape == second.shape == (50, 40)
    assert np.max(np.abs(first - second)) > 1  # each member has its own directions
    norms = [np.mean(np.sum(np.square(s), 1)) for s in (z, first, second)]
    np.testing.assert_allclose(norms[1:], norms[0], rtol=0.1)


def test_descent_decorrelates():
    z1, z2 = map(jnp.asarray, features(*SHAPE))
    before = loss_and_gradients(z1, z2)[0]
    for _ in range(20):
        _, (g1, g2) = loss_and_gradients(z1, z2)
        z1, z2 = z1 - 5 * g1, z2 - 5 * g2
    assert loss_and_gradients(z1, z2)[0] < 0.8 * before
