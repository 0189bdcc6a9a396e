"""What each attack computes: closed forms, a hand-written loop, and the distribution of starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from jaxadv.attacks import (
    Attack,
    ball,
    fgm,
    fgsm,
    igs,
    l2,
    linf,
    mi_fgsm,
    pgd,
    targeted,
    untargeted,
)
from jaxadv.errors import UserError
from jaxadv.losses import cross_entropy
from tests.attacks.made import images, jitted, keys, labels, linear, network

WEIGHTS = np.float32(np.random.default_rng(7).normal(size=(16, 2)))
INTERIOR = np.float32(np.random.default_rng(8).uniform(0.4, 0.6, size=(5, 4, 4, 1)))
TRUTH = np.array([0, 1, 1, 0, 1])


def towards_the_other_class():
    """The loss of two linear classes rises along `± (w1 - w0)`."""
    away = (WEIGHTS[:, 1] - WEIGHTS[:, 0]).reshape(4, 4, 1)
    return np.where(TRUTH[:, None, None, None] == 0, away, -away)


@pytest.mark.parametrize(
    "attack",
    [
        fgsm(0.1),
        pgd(0.1, 0.03, 10),
        igs(0.1),
        mi_fgsm(0.1),
    ],
    ids=["fgsm", "pgd", "igs", "mi_fgsm"],
)
def test_linf_on_a_linear_model_is_the_signed_corner(attack):
    x_adv = jitted(attack, untargeted(linear(WEIGHTS), TRUTH), INTERIOR, keys(np.arange(5)))
    expected = INTERIOR + 0.1 * np.sign(towards_the_other_class())
    np.testing.assert_allclose(x_adv, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("attack", "tolerance"),
    [
        (fgm(0.3), 1e-6),
        (pgd(0.3, 0.1, 10, l2, random_start=False), 1e-6),
        (pgd(0.3, 3.0, 40, l2), 1e-5),  # a start is forgotten by a factor of eps / step a step
        (mi_fgsm(0.3, ball=l2), 1e-6),
    ],
    ids=["fgm", "pgd", "pgd_random", "mi_fgsm"],
)
def test_l2_on_a_linear_model_is_the_unit_normal(attack, tolerance):
    x_adv = jitted(attack, untargeted(linear(WEIGHTS), TRUTH), INTERIOR, keys(np.arange(5)))
    normal = towards_the_other_class()
    expected = INTERIOR + 0.3 * normal / np.linalg.norm(normal[0])
    np.testing.assert_allclose(x_adv, expected, atol=tolerance)


@pytest.mark.parametrize("attack", [fgsm(0.1), fgm(0.3), pgd(0.1, 0.03, 10)])
def test_targeted_is_the_other_way(attack):
    x_adv = jitted(attack, targeted(linear(WEIGHTS), TRUTH), INTERIOR, keys(np.arange(5)))
    gained = np.sum((x_adv - INTERIOR) * towards_the_other_class(), axis=(1, 2, 3))
    assert np.all(gained < 0)


@pytest.mark.parametrize(("norm", "eps"), [(linf, 0.1), (l2, 1.0)], ids=["linf", "l2"])
def test_more_steps_raise_the_loss_and_targets_lower_theirs(norm, eps):
    x, y, k = images(20), labels(20), keys(np.arange(20))

    def loss(direction, steps):
        attack = pgd(eps, eps / 8, steps, norm, random_start=False)
        of = lambda x: cross_entropy(network(attack(direction(network, y), x, k)), y).mean()  # noqa: E731
        return jax.jit(of)(x)

    rising = [loss(untargeted, steps) for steps in (1, 4, 16)]
    assert np.all(np.diff(rising) > 0.002)
    falling = [loss(targeted, steps) for steps in (1, 4, 16)]
    assert np.all(np.diff(falling) < -0.002)


def momentum_by_hand(x, y, eps, steps, decay):
    """Dong et al. 2018, algorithm 1, on the linear softmax classifier in float64."""
    shape, weights = x.shape, WEIGHTS.astype(float)
    original = x.reshape(len(x), -1).astype(float)
    x_adv, momentum = original.copy(), np.zeros_like(original)
    for _ in range(steps):
        scores = np.exp(np.tanh(x_adv) @ weights)
        errors = scores / scores.sum(1, keepdims=True) - np.eye(2)[y]
        gradient = errors @ weights.T * (1 - np.tanh(x_adv) ** 2) * np.cos(9 * x_adv)
        momentum = decay * momentum + gradient / np.abs(gradient).sum(1, keepdims=True)
        x_adv = x_adv + eps / steps * np.sign(momentum)
        x_adv = np.clip(np.clip(x_adv, original - eps, original + eps), 0, 1)
    return x_adv.reshape(shape)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_mi_fgsm_equals_a_loop_by_hand(decay):
    """The ascent is bent by cos(9 x), so that its signs turn along the way."""
    x = images(5, side=4)
    plain = untargeted(lambda x: linear(WEIGHTS)(jnp.tanh(x)), TRUTH)

    def bent(x):
        value, ascent = plain(x)
        return value, ascent * jnp.cos(9 * x)

    x_adv = jitted(mi_fgsm(0.3, 9, decay), bent, x)
    expected = momentum_by_hand(x, TRUTH, 0.3, 9, decay)
    np.testing.assert_allclose(x_adv, expected, atol=1e-5)
    if decay:
        assert np.max(np.abs(expected - momentum_by_hand(x, TRUTH, 0.3, 9, 0.0))) > 0.05


def starts(norm, shape, eps, n=4000):
    """Perturbations `[n, D]` of a random start that never steps."""
    x = np.full((n, *shape), 0.5, np.float32)
    attack = Attack(eps, 0.0, 1, norm, random_start=True)
    made = jitted(attack, lambda x: (None, 0 * x), x, keys(np.arange(n)))
    return (np.asarray(made) - x).reshape(n, -1)


@pytest.mark.parametrize("shape", [(1,), (2,), (2, 2, 1)], ids=str)
def test_starts_are_uniform_in_the_l2_ball(shape):
    start = starts(l2, shape, 0.4)
    dimension = start.shape[1]
    radius = np.linalg.norm(start, axis=1)
    assert kstest((radius / 0.4) ** dimension, "uniform").pvalue > 1e-3
    # second moments of a uniform ball: eps² / (D + 2) each, and no correlation
    covariance = start.T @ start / len(start)
    np.testing.assert_allclose(covariance, np.eye(dimension) * 0.16 / (dimension + 2), atol=0.005)
    np.testing.assert_allclose(start.mean(0), 0, atol=0.015)


def test_starts_are_uniform_in_the_box():
    start = starts(linf, (2, 1, 1), 0.4)
    for coordinate in start.T:
        assert kstest(coordinate, "uniform", args=(-0.4, 0.8)).pvalue > 1e-3
    assert abs(np.corrcoef(start.T)[0, 1]) < 0.05


def test_other_keys_start_elsewhere():
    x = np.full((2, 4, 4, 1), 0.5, np.float32)
    attack = Attack(0.1, 0.0, 1, linf, random_start=True)
    run = jax.jit(lambda x, keys: attack(lambda x: (None, 0 * x), x, keys))
    first, second = (np.asarray(run(x, keys(k))) for k in ([0, 1], [1, 2]))
    np.testing.assert_array_equal(first[1], second[0])
    assert np.max(np.abs(first[0] - first[1])) > 0.01


@pytest.mark.parametrize(
    ("name", "inside", "outside", "projected"),
    [
        ("linf", [0.1, -0.2], [0.5, -0.1], [0.2, -0.1]),
        ("l2", [0.12, -0.16], [0.3, 0.4], [0.12, 0.16]),
    ],
)
def test_balls_by_hand(name, inside, outside, projected):
    chosen = ball(name)
    assert chosen.name == name
    np.testing.assert_allclose(chosen.project(jnp.array(inside), 0.2), inside, rtol=3e-6)
    np.testing.assert_allclose(chosen.project(jnp.array(outside), 0.2), projected, rtol=3e-6)
    np.testing.assert_allclose(chosen.norm(chosen.steepest(jnp.array(outside))), 1, rtol=1e-6)
    np.testing.assert_array_equal(chosen.steepest(jnp.zeros(2)), [0, 0])
    np.testing.assert_allclose(chosen.norm(jnp.array([3.0, -4.0])), {"linf": 4, "l2": 5}[name])


def test_an_unknown_ball_names_the_choices():
    with pytest.raises(UserError, match=r"'l1'.*'l2', 'linf'"):
        ball("l1")


def test_the_settings_of_an_attack_are_a_pytree_of_numbers_alone():
    leaves, structure = jax.tree.flatten(pgd(0.1, 0.02, 3))
    assert leaves == [0.1, 0.02]
    assert structure == jax.tree.structure(pgd(0.3, 0.1, 3))
    assert structure != jax.tree.structure(pgd(0.1, 0.02, 4))


@pytest.mark.parametrize(
    "make", [lambda: igs(0.1, 0), lambda: igs(0.1, 2.5), lambda: pgd(0.1, 0.01, -1)]
)
def test_steps_that_cannot_be_taken_are_refused(make):
    with pytest.raises(UserError, match="steps "):
        make()
