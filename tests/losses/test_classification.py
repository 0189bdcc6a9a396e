import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.losses import accuracy, cross_entropy, join

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], np.float32)


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    losses = cross_entropy(np.log(PROBABILITIES) + 3, np.array([1, 2]))
    np.testing.assert_allclose(losses, [np.log(4), -np.log(0.7)], rtol=1e-6)


def test_one_label_serves_every_member():
    logits = np.log(np.stack([PROBABILITIES, PROBABILITIES[:, ::-1]]))
    losses = cross_entropy(logits, np.array([0, 0]))
    np.testing.assert_allclose(losses, -np.log([[0.5, 0.1], [0.25, 0.7]]), rtol=1e-6)


def test_cross_entropy_gradient_is_softmax_minus_one_hot():
    labels = np.array([1, 2])
    gradient = jax.grad(lambda z: cross_entropy(z, labels).sum())(np.log(PROBABILITIES))
    np.testing.assert_allclose(gradient, PROBABILITIES - np.eye(3)[labels], atol=1e-6)


def test_cross_entropy_does_not_overflow():
    logits = jnp.array([[1e4, 0.0]])
    np.testing.assert_array_equal(cross_entropy(logits, np.array([0])), [0.0])
    np.testing.assert_array_equal(cross_entropy(logits, np.array([1])), [1e4])


def test_accuracy_counts_each_member_alone():
    logits = np.log(np.stack([PROBABILITIES, PROBABILITIES[:, ::-1]]))
    np.testing.assert_allclose(accuracy(logits, np.array([0, 0])), [0.5, 0.5])
    np.testing.assert_allclose(accuracy(logits, np.array([0, 2])), [1.0, 0.0])


@pytest.mark.parametrize(
    ("how", "value", "gradient"), [("sum", 7, [1, 1]), ("root_sum_square", 5, [0.6, 0.8])]
)
def test_join(how, value, gradient):
    joined, slope = jax.value_and_grad(join)(jnp.array([3.0, 4.0]), how)
    np.testing.assert_allclose(joined, value, rtol=1e-6)
    np.testing.assert_allclose(slope, gradient, rtol=1e-6)
