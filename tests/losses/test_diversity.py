"""GAL's and ADP's terms by hand, and their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.losses.diversity import (
    adaptive_diversity,
    ensemble_diversity,
    ensemble_entropy,
    gradient_coherence,
)

# Two members, one example of class 0, four classes.
PROBABILITIES = np.array([[[0.4, 0.3, 0.2, 0.1]], [[0.7, 0.0, 0.3, 0.0]]])
LABELS = np.array([0])


def logits(probabilities):
    return jnp.log(jnp.asarray(probabilities, jnp.float32))


def test_coherence_by_hand():
    cosines = jnp.array([[0.5, 0.0], [-0.5, 0.0], [1.0, 0.0]])
    expected = [np.log(np.exp(0.5) + np.exp(-0.5) + np.exp(1.0)), np.log(3)]
    np.testing.assert_allclose(gradient_coherence(cosines), expected, rtol=1e-6)


def test_entropy_of_the_mean_by_hand():
    mean = PROBABILITIES.mean(0)[0]
    expected = -np.sum(mean[mean > 0] * np.log(mean[mean > 0]))
    made = logits(np.maximum(PROBABILITIES, 1e-30))
    np.testing.assert_allclose(ensemble_entropy(made), [expected], rtol=1e-5)


def test_volume_by_hand():
    """Of two unit vectors it is 1 − cos²."""
    first, second = PROBABILITIES[:, 0, 1:]
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    made = logits(np.maximum(PROBABILITIES, 1e-30))
    np.testing.assert_allclose(ensemble_diversity(made, LABELS), [1 - cosine**2], rtol=1e-5)


def test_volume_is_one_for_different_mistakes_and_zero_for_the_same():
    apart = np.log([[[0.5, 0.5, 1e-20, 1e-20]], [[0.5, 1e-20, 1e-20, 0.5]]])
    same = np.repeat(apart[:1], 2, axis=0)
    np.testing.assert_allclose(ensemble_diversity(jnp.float32(apart), LABELS), [1.0], rtol=1e-6)
    np.testing.assert_allclose(ensemble_diversity(jnp.float32(same), LABELS), [0.0], atol=1e-6)


def test_a_sure_member_still_has_a_direction():
    """The wrong classes' probabilities underflow, their proportions do not."""
    sure = jnp.float32([[[200.0, 2.0, 1.0, 0.0]], [[200.0, 0.0, 1.0, 2.0]]])
    modest = sure.at[:, :, 0].set(3.0)
    volume, expected = (jax.jit(ensemble_diversity)(z, LABELS) for z in (sure, modest))
    np.testing.assert_allclose(volume, expected, rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda z: adaptive_diversity(z, LABELS).sum()))(sure)
    assert np.isfinite(gradient).all()


def test_weights_of_the_two_terms():
    made = logits(np.maximum(PROBABILITIES, 1e-30))
    entropy, volume = ensemble_entropy(made), ensemble_diversity(made, LABELS)
    expected = 3 * entropy + 0.25 * np.log(volume + 1e-6)
    actual = adaptive_diversity(made, LABELS, entropy=3.0, volume=0.25)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_as_many_members_as_classes_are_refused():
    with pytest.raises(UserError, match="4 members, 4 classes: give more classes"):
        ensemble_diversity(jnp.zeros((4, 1, 4)), LABELS)
