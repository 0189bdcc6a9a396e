"""Directions that draw: by whom they are given what, that nothing is drawn twice, and images."""

import re
from functools import partial, wraps
from textwrap import dedent

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks, compilation
from jaxadv.attacks import (
    Attack,
    ascend,
    cw,
    draws,
    example_keys,
    fgsm,
    igs,
    mi_fgsm,
    pgd,
    untargeted,
)
from jaxadv.attacks.draws import STREAM, by_step, named
from jaxadv.errors import UserError
from jaxadv.losses.classification import log_odds
from tests.attacks.made import SIDE, convolutional, images, jitted, keys, labels, linear, network
from tests.data.fixtures import assert_one_line


def reader(source):
    """The example of the module's documentation, as a reader would copy it."""
    code = re.search(r"(    def shifted.*?)\n\n    x_adv", source, re.DOTALL)[1]
    names = {"jax": jax, "jnp": jnp, "attacks": attacks}
    exec(dedent(code), names)  # it is ours
    return names["shifted"]


shifted = reader(draws.__doc__)


def key_of(index, step):
    """An example's key at a step, by hand."""
    own = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), index), STREAM)
    return jax.random.fold_in(own, step)


def data(key):
    return tuple(np.asarray(jax.random.key_data(key)).ravel().tolist())


# of two classes
WEIGHTS = np.float32(np.random.default_rng(3).normal(size=(SIDE**2, 2)))


@pytest.mark.parametrize("steps", [1, 3])
def test_a_shift_is_stepped_as_by_hand(steps):
    """The ascent of two classes' log odds is the difference of their weights, shifted back."""
    x, y, indices = (
        np.full((4, SIDE, SIDE, 1), 0.5, np.float32),
        np.array([0, 1, 0, 1]),
        [7, 0, 3, 9],
    )
    attack = Attack(1.0, 0.01, steps)
    found = jitted(attack, shifted(linear(WEIGHTS), y), x, keys(indices))
    slope = (WEIGHTS[:, 1] - WEIGHTS[:, 0]).reshape(SIDE, SIDE, 1)
    for row, index in enumerate(indices):
        expected = x[row].copy()
        for step in range(steps):
            by = np.asarray(jax.random.randint(key_of(index, step), (2,), -2, 3))
            towards = np.sign(np.roll(slope, -by, axis=(0, 1))) * (1 if y[row] == 0 else -1)
            expected = expected + np.float32(0.01) * towards
        np.testing.assert_allclose(np.asarray(found)[row], expected, atol=1e-6)
    shifts = {tuple(np.asarray(jax.random.randint(key_of(i, 0), (2,), -2, 3))) for i in indices}
    assert len(shifts) > 1


ATTACKS = {
    "igs": igs(0.1, 3),
    "mi_fgsm": mi_fgsm(0.1, 3),
    "pgd": pgd(0.1, 0.04, 3),
    "pgd_l2": pgd(1.0, 0.4, 3, "l2"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_images_depend_on_keys_alone(name):
    """Neither on the batch nor on its order; other keys give others."""
    x, y, rows = images(4), labels(4), np.arange(4)

    @jax.jit
    def crafted(x, y, keys):
        return ATTACKS[name](shifted(network, y), x, keys)

    def attacked(rows, seed=0):
        return np.asarray(crafted(x[rows], y[rows], example_keys(jax.random.key(seed), rows)))

    whole = attacked(rows)
    np.testing.assert_array_equal(attacked(rows), whole)
    np.testing.assert_allclose(attacked(rows[::-1])[::-1], whole, atol=1e-5)
    parts = np.concatenate([attacked(rows[:1]), attacked(rows[1:])])
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    assert np.abs(attacked(rows, seed=1) - whole).max() > 0.01


def test_traced_or_not_images_are_the_same():
    x, y = images(3), labels(3)
    attack, direction = pgd(0.1, 0.04, 3), shifted(network, y)
    traced = jax.jit(lambda x, keys: attack(direction, x, keys))(x, keys(range(3)))
    np.testing.assert_allclose(attack(direction, x, keys(range(3))), traced, atol=1e-5)


def test_radii_are_mapped_over_and_flags_told():
    x, y, radii = images(3), labels(3), jnp.float32([0.0, 0.1])

    def flagged(eps):
        return pgd(eps, 0.02, 3).flagged(shifted(network, y), x, keys(range(3)))

    together, flags = jax.jit(jax.vmap(flagged))(radii)
    alone = jax.jit(flagged)  # the radius is traced
    for row, eps in enumerate(radii):
        np.testing.assert_allclose(together[row], alone(eps)[0], atol=1e-6)
    np.testing.assert_array_equal(together[0], x)
    assert flags.zero.shape == (2, 3)
    assert not flags.zero.any()


def test_steps_in_a_loop_and_unrolled_draw_alike(monkeypatch):
    """Convolutions are unrolled on a CPU, see `compilation.repeated`."""
    x, y = images(2), labels(2)
    attack, direction = igs(0.1, 3), shifted(convolutional(), y)
    unrolled = jax.jit(lambda keys: attack(direction, x, keys))(keys(range(2)))
    monkeypatch.setattr(compilation, "UNROLLED", 0)
    looped = jax.jit(lambda keys: attack(direction, x, keys))(keys(range(2)))
    np.testing.assert_allclose(looped, unrolled, atol=1e-5)


def test_nothing_is_drawn_twice():
    """Not by two examples, not at two steps, not by a random start, nor by what it splits."""
    examples = keys(range(5))
    at = by_step(lambda x, key: (x, x), examples, 5)
    drawn = [data(key) for step in range(40) for key in at(step).keywords["key"]]
    start = [data(each) for key in examples for each in (key, *jax.random.split(key, 50))]
    assert len(set(drawn + start)) == len(drawn) + len(start)
    assert drawn[7] == data(key_of(2, 1))


def test_the_step_is_its_number_from_0():
    """Up at even steps, down at odd ones: after two it is back."""
    x = np.full((2, 3, 3, 1), 0.5, np.float32)

    def direction(x, step):
        return None, jnp.where(step % 2 == 0, 1.0, -1.0) * jnp.ones_like(x)

    for steps, moved in ((1, 0.01), (2, 0.0), (3, 0.01)):
        found = Attack(1.0, 0.01, steps)(direction, x)
        np.testing.assert_allclose(found, x + np.float32(moved), atol=1e-7)


def plain(x):
    return None, jnp.ones_like(x)


def keyed(x, key):
    return None, jnp.ones_like(x)


def both(x, *, step, key=None):
    return None, jnp.ones_like(x)


def anything(x, **others):
    return None, jnp.ones_like(x)


@wraps(keyed)
def wrapped(*args, **kwargs):
    return keyed(*args, **kwargs)


@wraps(keyed)
def closed(x):
    return keyed(x, None)


class Called:
    def __call__(self, x, step):
        return None, jnp.ones_like(x)

    def method(self, x, key, step):
        return None, jnp.ones_like(x)


TAKEN = {
    "plain": (plain, {}),
    "first parameter": (lambda key: plain(key), {}),
    "problem": (untargeted(network, labels(2)), {}),
    "no signature": (max, {}),
    "key": (keyed, {"key": True}),
    "both": (both, {"key": True, "step": True}),
    "any keyword": (anything, {"key": False, "step": False}),
    "partial": (partial(both, step=3), {"key": True}),
    "partial of any": (partial(anything, key=3), {"step": False}),
    "instance": (Called(), {"step": True}),
    "method": (Called().method, {"key": True, "step": True}),
    "jit": (jax.jit(keyed), {"key": True}),
    "vmap": (jax.vmap(keyed), {"key": True}),
    "decorated": (wrapped, {"key": True}),
    "decorated and closed": (closed, {}),
    "objective": (ascend(lambda x, key: jnp.sum(x)), {"key": True}),
    "plain objective": (ascend(lambda x: jnp.sum(x)), {}),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_a_direction_takes(name):
    direction, expected = TAKEN[name]
    assert named(direction) == expected


@pytest.mark.parametrize("direction", [keyed, both, anything, partial(keyed), Called(), wrapped])
def test_every_kind_of_direction_is_followed(direction):
    x = images(2)
    found = igs(0.1, 2)(direction, x, keys(range(2)))
    np.testing.assert_allclose(found, np.minimum(x + 0.1, 1), atol=1e-6)


def test_an_objective_may_draw():
    x, y = images(3), labels(3)

    def objective(x, *, key):
        noise = jax.vmap(lambda k: jax.random.normal(k, x.shape[1:]))(key)
        return -log_odds(network(x + noise), y)

    found = jitted(fgsm(0.1), ascend(objective), x, keys(range(3)))
    noise = jnp.stack([jax.random.normal(key_of(i, 0), x.shape[1:]) for i in range(3)])
    slope = jax.jit(jax.grad(lambda x: -log_odds(network(x + noise), y).sum()))(x)
    np.testing.assert_allclose(found, np.clip(x + 0.1 * np.sign(slope), 0, 1), atol=1e-6)


def refused(call, *parts):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, *parts)


@pytest.mark.parametrize("direction", [keyed, both, wrapped, ascend(lambda x, key: x.sum())])
def test_a_direction_that_draws_needs_keys(direction):
    refused(
        lambda: igs(0.1)(direction, images(2)),
        "a direction that takes `key` needs keys: pass attacks.example_keys(key, indices)",
    )
    refused(lambda: igs(0.1)(direction, images(2), keys(range(3))), "keys of shape (3,)")
    refused(lambda: igs(0.1)(direction, images(2), jax.random.key(0)), "keys of shape ()")


def test_what_takes_any_keyword_does_without_keys():
    x = images(2)
    found = igs(0.1, 2)(anything, x)
    np.testing.assert_allclose(found, np.minimum(x + 0.1, 1), atol=1e-6)


def test_carlini_and_wagner_take_none_that_draws():
    refused(
        lambda: cw(steps=1, searches=1)(shifted(network, labels(2)), images(2), keys(range(2))),
        "direction direction: Carlini & Wagner's attack needs a margin",
        "draws nothing",
    )
