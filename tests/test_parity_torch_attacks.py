"""The PyTorch attacks that the benchmarks race against make the same images as ours."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxadv.attacks import pgd, untargeted
from jaxadv.models import cnn, fc

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
from benchmarks import inputs  # noqa: E402
from benchmarks.reference_torch import attacks as reference  # noqa: E402

MODELS = {"cnn": cnn(), "fc": fc()}
SETTINGS = {"eps": 0.1, "step_size": 0.02}
ATTACK = pgd(0.1, 0.02, 5, random_start=False)


@pytest.fixture
def images(rng):
    return np.float32(rng.uniform(size=(60, 28, 28, 1))), rng.integers(0, 10, 60)


def ours(architecture, variables, attack, x, y):
    model = MODELS[architecture]
    predict = lambda x: model.apply(variables, x)[0].logits  # noqa: E731
    return jax.jit(lambda x: attack(untargeted(predict, y), x))(x)


def theirs(network, x, y, **options):
    x = torch.tensor(x.transpose(0, 3, 1, 2).copy())
    made = reference.pgd(network, x, torch.tensor(y), batch=25, **SETTINGS, **options)
    return made.numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize(("steps", "least"), [(1, 0.999), (5, 0.99)])
def test_same_images(architecture, steps, least, images):
    network = inputs.network(architecture).eval()
    variables = inputs.variables_of(network, architecture)
    made = ours(architecture, variables, replace(ATTACK, steps=steps), *images)
    expected = theirs(network, *images, steps=steps)
    # where a gradient is but rounding its sign is too
    assert np.mean(np.abs(made - expected) < 1e-6) > least
    assert np.max(np.abs(expected - images[0])) > 0.019


@pytest.mark.parametrize("architecture", MODELS)
def test_the_published_style_only_costs_more(architecture, images):
    network = inputs.network(architecture).eval()
    plain = theirs(network, *images, steps=2)
    published = theirs(network, *images, steps=2, gradient=reference.published_gradient)
    assert np.mean(np.abs(plain - published) < 1e-6) > 0.999
