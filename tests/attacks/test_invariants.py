"""What holds for every attack, whatever the network."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.attacks import Attack, ascend, fgm, fgsm, mi_fgsm, pgd, untargeted
from jaxadv.errors import UserError
from tests.attacks.made import (
    ATTACKS,
    convolutional,
    images,
    jitted,
    keys,
    labels,
    network,
    perturbation_norms,
)
from tests.data.fixtures import assert_one_line

N = 24
every_attack = pytest.mark.parametrize("name", ATTACKS)


@partial(jax.jit, static_argnames="name")
def craft(x, y, keys, eps, name):
    return ATTACKS[name](eps)(untargeted(network, y), x, keys)


@every_attack
@pytest.mark.parametrize("eps", [0.05, 0.3, 5.6])
def test_ball_and_range_hold_in_float64(name, eps):
    x = images(N)
    x_adv = craft(x, labels(N), keys(np.arange(N)), eps, name)
    assert x_adv.dtype == np.float32
    assert np.all((x_adv >= 0) & (x_adv <= 1))
    norms = perturbation_norms(x_adv, x, ATTACKS[name](eps).ball.name)
    assert np.max(norms) <= eps + 1e-7
    assert np.max(norms) > 0.5 * min(eps, 1)


@every_attack
def test_no_eps_is_the_identity_to_the_bit(name):
    x = images(N)
    np.testing.assert_array_equal(craft(x, labels(N), keys(np.arange(N)), 0.0, name), x)


@every_attack
def test_neither_batch_size_nor_order_matters(name):
    x, y, k = images(N), labels(N), keys(np.arange(N))
    whole = np.asarray(craft(x, y, k, 0.1, name))
    np.testing.assert_allclose(craft(x[:7], y[:7], k[:7], 0.1, name), whole[:7], atol=1e-6)
    order = np.random.default_rng(0).permutation(N)
    permuted = craft(x[order], y[order], k[order], 0.1, name)
    np.testing.assert_allclose(permuted, whole[order], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fgsm", "pgd_l2"])
def test_nor_do_they_on_a_network_that_takes_its_batch_in_chunks(name):
    """Signed steps agree to the bit as a rule, unit-l2 steps to the last one or two."""
    x, y, k = images(130), labels(130), keys(np.arange(130))

    @jax.jit
    def run(x, y, k):
        return ATTACKS[name](0.1)(untargeted(convolutional(), y), x, k)

    whole = np.asarray(run(x, y, k))
    for size in (1, 100):
        part = run(x[:size], y[:size], k[:size])
        np.testing.assert_allclose(part, whole[:size], atol=1e-6)
    order = np.random.default_rng(0).permutation(130)
    np.testing.assert_allclose(run(x[order], y[order], k[order]), whole[order], atol=1e-6)


@every_attack
def test_a_zero_gradient_moves_nothing(name):
    """All but the random start, which is that of a lone step of size zero."""
    x, k = images(4), keys(np.arange(4))
    flat = ascend(lambda x: 0 * x.sum((1, 2, 3)))
    attack = ATTACKS[name](0.1)
    x_adv = jitted(attack, flat, x, k)
    if not attack.random_start:
        np.testing.assert_array_equal(x_adv, x)
    else:
        still = Attack(0.1, 0.0, 1, attack.ball, random_start=True)
        np.testing.assert_allclose(x_adv, jitted(still, flat, x, k), atol=1e-6)


@every_attack
def test_the_scale_of_the_gradient_does_not_matter(name):
    x, k = images(4), keys(np.arange(4))
    slope = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    run = jax.jit(lambda scale: ATTACKS[name](0.1)(lambda x: (None, scale * slope), x, k))
    for scale in (1e-30, 1e30):
        np.testing.assert_allclose(run(scale), run(1.0), atol=1e-6)


@every_attack
def test_jit_equals_eager(name):
    x, y, k = images(N), labels(N), keys(np.arange(N))
    eager = ATTACKS[name](0.1)(untargeted(network, y), x, k)
    np.testing.assert_allclose(craft(x, y, k, 0.1, name), eager, atol=1e-6)


@every_attack
def test_vmap_over_eps_equals_separate_runs(name):
    x, y, k = images(N), labels(N), keys(np.arange(N))
    sweep = jnp.array([0.0, 0.05, 0.2])
    together = jax.jit(jax.vmap(lambda eps: craft(x, y, k, eps, name)))(sweep)
    apart = [craft(x, y, k, eps, name) for eps in sweep]
    np.testing.assert_allclose(together, apart, atol=1e-5)  # rounding grows over the steps


@every_attack
def test_a_sweep_over_eps_compiles_once(name):
    traces = []

    @jax.jit
    def run(attack, x, keys):
        traces.append(attack)
        return attack(ascend(lambda x: x.sum((1, 2, 3))), x, keys)

    for eps in (0.0, 0.1, 0.25):
        run(ATTACKS[name](eps), images(2), keys([0, 1]))
    assert len(traces) == 1


@pytest.mark.parametrize("build", [fgsm, fgm, mi_fgsm, lambda eps: pgd(eps, 0.1)])
@pytest.mark.parametrize("eps", [-0.1, float("nan"), jnp.array([0.1, -1.0])], ids=str)
def test_a_negative_eps_is_named(build, eps):
    with pytest.raises(UserError) as error:
        build(eps)
    assert_one_line(error, f"eps {eps}", "at least 0")


def test_a_negative_step_is_named():
    with pytest.raises(UserError) as error:
        pgd(0.1, -0.01)
    assert_one_line(error, "step_size -0.01")


def test_attacks_may_be_built_under_jit():
    """Also of constants, which jit does not trace."""
    x = images(2)
    run = jax.jit(
        lambda x: pgd(0.1, 0.1, 2, random_start=False)(ascend(lambda x: x.sum((1, 2, 3))), x)
    )
    np.testing.assert_allclose(run(x), np.minimum(x + np.float32(0.1), 1), atol=1e-7)


def test_a_random_start_needs_keys():
    with pytest.raises(UserError) as error:
        pgd(0.1, 0.1)(untargeted(network, labels(2)), images(2))
    assert_one_line(error, "example_keys")


def test_bounds_are_the_readers():
    x = 255 * images(4)
    attack = fgsm(16.0, bounds=(0.0, 255.0))
    x_adv = attack(ascend(lambda x: x.sum((1, 2, 3))), x)
    np.testing.assert_allclose(x_adv, np.minimum(x + 16, 255), rtol=1e-6)


def test_the_l2_ball_holds_where_rounding_errors_add_up():
    """A flat image and a flat gradient: every pixel is rounded the same way."""
    value, eps = 0.3, 0.1
    x = np.full((1, 32, 32, 3), value, np.float32)
    x_adv = fgm(eps)(ascend(lambda x: x.sum((1, 2, 3))), x)
    assert perturbation_norms(x_adv, x, "l2")[0] <= eps + 1e-7
