"""Attacks that foolbox also has find what foolbox's find, on the same network and images."""

import jax
import numpy as np
import pytest

from jaxadv.attacks import cw, igs, margin, untargeted
from jaxadv.losses import margins
from jaxadv.models import cnn
from tests.test_published_weights import optimised

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
foolbox = pytest.importorskip("foolbox", reason="these compare with foolbox: pip install foolbox")
from benchmarks import inputs  # noqa: E402
from benchmarks.attacks import Logits  # noqa: E402

COUNT = 100


@pytest.fixture
def network(reference_dir):
    """A published CNN on both sides."""
    theirs, variables = inputs.trained("cnn", reference_dir)
    predict = lambda x: cnn().apply(variables, x)[0].logits  # noqa: E731
    return predict, foolbox.PyTorchModel(Logits(theirs).eval(), bounds=(0, 1))


@pytest.fixture
def images(mnist_test):
    return mnist_test.images[:COUNT], mnist_test.labels[:COUNT]


def by_foolbox(attack, model, x, y, **settings):
    x = torch.tensor(x.transpose(0, 3, 1, 2).copy())
    made = attack.run(model, x, torch.tensor(y, dtype=torch.long), **settings)
    return made.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("confidence", [0.0, 5.0])
def test_carlini_wagner_is_as_successful_and_as_near(confidence, network, images):
    predict, model = network
    x, y = images
    few = {"steps": 150, "confidence": confidence}  # enough with larger steps than usual

    def success(x_adv):
        won = np.asarray(jax.jit(predict)(x_adv))
        lengths = np.linalg.norm((np.asarray(x_adv) - x).reshape(COUNT, -1), axis=1)
        won = np.asarray(margins(won, y)) > confidence - 1e-4
        return won.mean(), lengths[won].mean()

    attack = cw(searches=5, step_size=0.05, first_constant=1.0, **few)
    rate, length = success(optimised(lambda x: attack(margin(predict, y), x))(x))
    settings = {"stepsize": 0.05, "initial_const": 1.0, "abort_early": False}
    theirs = foolbox.attacks.L2CarliniWagnerAttack(5, **settings, **few)
    expected_rate, expected_length = success(by_foolbox(theirs, model, x, y))
    assert expected_rate > 0.9
    assert rate == pytest.approx(expected_rate, abs=0.02)
    assert length <= 1.02 * expected_length


def test_igs_makes_the_same_images(network, images):
    predict, model = network
    x, y = images
    ours = optimised(lambda x: igs(0.1, 5)(untargeted(predict, y), x))(x)
    theirs = foolbox.attacks.LinfBasicIterativeAttack(
        abs_stepsize=0.02, steps=5, random_start=False
    )
    expected = by_foolbox(theirs, model, x, y, epsilon=0.1)
    # where a gradient is but rounding its sign is too
    assert np.mean(np.abs(ours - expected) < 1e-5) > 0.99
