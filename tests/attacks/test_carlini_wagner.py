"""Carlini & Wagner's attack: the nearest point beyond a plane, confidence, and independence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks
from jaxadv.attacks import cw, margin
from jaxadv.errors import UserError
from tests.attacks.made import jitted, linear

WEIGHTS = np.float32(np.random.default_rng(7).normal(size=(16, 2)))
IMAGES = np.float32(np.random.default_rng(8).uniform(0.3, 0.7, size=(6, 4, 4, 1)))
LOGITS = IMAGES.reshape(6, -1) @ WEIGHTS
TRUTH = LOGITS.argmax(-1)
SLOPE = np.linalg.norm(WEIGHTS[:, 1] - WEIGHTS[:, 0])


HIDDEN = np.float32(np.random.default_rng(5).normal(size=(16, 8)))
LAST = np.float32(np.random.default_rng(6).normal(size=(8, 3)))


def network(x):
    """Logits of three classes."""
    return jnp.tanh(linear(HIDDEN)(x)) @ LAST


def distances(x_adv):
    return np.linalg.norm((np.asarray(x_adv) - IMAGES).reshape(6, -1), axis=1)


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_on_a_linear_model_it_finds_the_nearest_point_beyond_the_plane(confidence):
    """That is (lead + confidence) / ‖w1 − w0‖ away, and 9 searches come within 2 %."""
    attack = cw(confidence, steps=300, bounds=(-2.0, 3.0))  # far enough not to be met
    x_adv = jitted(attack, margin(linear(WEIGHTS), TRUTH), IMAGES)
    lead = np.abs(LOGITS[:, 1] - LOGITS[:, 0])
    nearest = (lead + confidence) / SLOPE
    assert np.all(distances(x_adv) >= nearest * (1 - 1e-3))
    assert np.all(distances(x_adv) <= nearest * 1.02)
    made = linear(WEIGHTS)(np.asarray(x_adv))
    rows = np.arange(6)
    assert np.all(made[rows, 1 - TRUTH] - made[rows, TRUTH] >= confidence - 1e-5)


def test_an_example_that_is_wrong_already_hardly_moves():
    x_adv = jitted(cw(steps=50, searches=3), margin(linear(WEIGHTS), 1 - TRUTH), IMAGES)
    np.testing.assert_allclose(x_adv, IMAGES, atol=1e-5)


def test_an_example_no_image_wins_comes_back_as_it_was():
    flat = lambda x: jnp.zeros((len(x), 2)).at[:, 0].set(1.0)  # noqa: E731
    x_adv = cw(steps=5, searches=3)(margin(flat, np.zeros(6, int)), IMAGES)
    np.testing.assert_array_equal(x_adv, IMAGES)


def test_images_stay_within_the_bounds():
    direction = margin(linear(100 * WEIGHTS), TRUTH)
    x_adv = np.asarray(jitted(cw(200.0, steps=100, step_size=0.2), direction, IMAGES))
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert np.any(x_adv != IMAGES)


def test_an_example_alone_gives_what_it_gives_in_a_batch():
    predict, x, y = network, IMAGES, np.array([0, 1, 2, 0, 1, 2])
    attack = cw(0.1, steps=60, searches=4)
    run = jax.jit(lambda x, y: attack(margin(predict, y), x))
    together = np.asarray(run(x, y))
    for index in range(6):
        one = slice(index, index + 1)
        alone = run(x[one], y[one])
        np.testing.assert_allclose(alone, together[one], atol=1e-5)


def test_confidences_are_one_program_under_jit_and_vmap():
    direction = margin(network, np.array([0, 1, 2, 0, 1, 2]))
    traces = []

    @jax.jit
    def made(confidence):
        traces.append(confidence)
        return cw(confidence, steps=30, searches=3)(direction, IMAGES)

    each = [made(confidence) for confidence in (0.0, 0.2)]
    assert len(traces) == 1
    sweep = jax.vmap(lambda c: cw(c, steps=30, searches=3)(direction, IMAGES))
    swept = jax.jit(sweep)(jnp.array([0, 0.2]))
    np.testing.assert_allclose(swept, np.stack(each), atol=1e-5)


def test_joined_it_wins_over_every_member():
    """Two linear members with different planes: beyond both."""
    other = np.float32(np.random.default_rng(9).normal(size=(16, 2)))
    other *= np.where((IMAGES.reshape(6, -1) @ other).argmax(-1)[0] == TRUTH[0], 1, -1)
    first = slice(0, 1)
    members = lambda x: jnp.stack([linear(WEIGHTS)(x), linear(other)(x)])  # noqa: E731
    direction = attacks.joint(members, TRUTH[first], "margin")
    x_adv = jitted(cw(steps=300), direction, IMAGES[first])
    assert np.all(np.asarray(members(x_adv)).argmax(-1) != TRUTH[first])


def test_targeted_margin_is_the_targets_lead():
    members = lambda x: network(x)[None]  # noqa: E731
    targets = np.array([2, 2, 0, 1, 0, 1])
    direction = attacks.joint(members, targets, "margin", targeted=True)
    x_adv = jitted(cw(steps=200, searches=6), direction, IMAGES)
    won = np.asarray(network(x_adv)).argmax(-1) == targets
    moved = distances(x_adv) > 0
    assert won[moved].all()
    assert won.mean() > 0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"confidence": -1.0}, "confidence -1.0: at least 0 and finite, in units of the logits"),
        ({"first_constant": 0.0}, "first_constant 0.0: more than 0"),
        ({"steps": 0}, "steps 0: give a whole number, 1 or more"),
        ({"searches": 0}, "searches 0: give a whole number, 1 or more"),
    ],
)
def test_impossible_settings(settings, words):
    with pytest.raises(UserError, match=words):
        cw(**settings)
