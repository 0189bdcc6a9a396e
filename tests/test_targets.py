"""Targets in `craft` and `evaluate`: the attack's own direction, on each example alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks
from jaxadv.attacks import example_keys
from jaxadv.data import Dataset
from jaxadv.ensemble import callables
from jaxadv.errors import UserError
from jaxadv.evaluation import craft, evaluate
from jaxadv.metrics import predicted

WEIGHTS = jax.random.normal(jax.random.key(0), (2, 16, 5))
PAIR = callables([lambda x, w=w: x.reshape(len(x), -1) @ w for w in WEIGHTS])
X = jax.random.uniform(jax.random.key(1), (12, 4, 4, 1))
Y = jnp.arange(12) % 5
TARGETS = (Y + 1 + jnp.arange(12) % 3) % 5
KEY = jax.random.key(2)


def pgd(eps):
    return attacks.pgd(eps, 0.05, 20)


@pytest.mark.parametrize("chunk", [5, 1000])
def test_images_are_those_of_the_targeted_direction(chunk):
    made = craft(PAIR, (), (0, 1), pgd(0.1), Dataset(X, Y), KEY, chunk=chunk, targets=TARGETS)
    both = lambda x: jnp.stack([x.reshape(len(x), -1) @ w for w in WEIGHTS])  # noqa: E731
    direction = attacks.joint(both, TARGETS, targeted=True)
    expected = pgd(0.1)(direction, X, example_keys(KEY, jnp.arange(12)))
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_a_sweep_is_crafted_towards_the_targets_and_scored_by_the_labels():
    eps = jnp.array([0.0, 0.5])
    found = evaluate(PAIR, (), pgd, eps, Dataset(X, Y), KEY, targets=TARGETS, keep=12)
    np.testing.assert_array_equal(found.labels, Y)
    for s, members in enumerate([(0,), (1,), (0, 1)]):
        alone = craft(PAIR, (), members, pgd(0.5), Dataset(X, Y), KEY, targets=TARGETS)
        np.testing.assert_allclose(found.images[1, s], alone, atol=1e-6)
    met = predicted(found.adversarial[1]) == TARGETS
    assert met[0, 0].mean() > 0.9  # of the member attacked
    assert (predicted(found.adversarial[0]) == TARGETS).mean() < 0.5


@pytest.mark.parametrize(
    ("targets", "words"),
    [(TARGETS[:3], "targets: "), (TARGETS + 5, "targets: "), (TARGETS * 0.5, "targets: ")],
)
def test_targets_that_are_none(targets, words):
    for call in (
        lambda: craft(PAIR, (), (0,), pgd(0.1), Dataset(X, Y), KEY, targets=targets),
        lambda: evaluate(PAIR, (), pgd, jnp.array([0.1]), Dataset(X, Y), KEY, targets=targets),
    ):
        with pytest.raises(UserError, match=words):
            call()
