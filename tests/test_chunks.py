"""What a chunk, the number of examples beside one, may change: last bits, and what follows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from jaxadv import models, training
from jaxadv.attacks import pgd
from jaxadv.data import Dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked
from jaxadv.evaluation import craft, evaluate

N = 120
MODELS = {"fc": lambda: models.fc(10, (64, 48, 32), 2), "cnn": models.cnn}
every_chunk = pytest.mark.parametrize("chunk", [1, 7, 100])
KEY = jax.random.key(1)


@pytest.fixture(scope="module", params=["fc", pytest.param("cnn", marks=pytest.mark.slow)])
def pair(request):
    """A plain pair that has learned the digits, and images it did not see."""
    found = load_digits()
    images = (found.images / 16).astype(np.float32)[..., None]
    labels = found.target.astype(np.int32)
    ensemble = stacked(MODELS[request.param](), 2)
    phase = decorrelation(ensemble, optax.adam(5e-3))
    data = Dataset(images[:1400], labels[:1400])
    state = training.init(ensemble.init, [phase], data, [0], {"strength": [0.0]})
    for trained, _ in training.fit([phase], state, data, epochs=6, batch_size=200):
        state = trained
    variables = jax.tree.map(lambda leaf: leaf[0], state.variables)
    return ensemble, variables, Dataset(images[-N:], labels[-N:])


@pytest.fixture(scope="module")
def scored(pair):
    ensemble, variables, test = pair
    made = {}

    def score(chunk):
        if chunk not in made:
            attack = lambda eps: pgd(eps, 3 / 255, 10)  # noqa: E731
            run = lambda v: evaluate(ensemble, v, attack, [0.1], test, KEY, chunk=chunk)  # noqa: E731
            made[chunk] = jax.jit(run)(variables)
        return made[chunk]

    return score


@pytest.mark.slow
@every_chunk
def test_probabilities_and_rates_agree(scored, chunk):
    """The pair must be hit and missed, or the rates would agree whatever the chunk did."""
    whole, parts = scored(N), scored(chunk)
    for of in ("clean", "adversarial"):
        np.testing.assert_allclose(getattr(parts, of), getattr(whole, of), atol=0.005)
        wrong = [getattr(p, of).argmax(-1) != p.labels for p in (parts, whole)]
        np.testing.assert_allclose(*(w.mean(-1) for w in wrong), atol=0.002)
    assert 0.1 < float(jnp.mean(wrong[0])) < 1
    np.testing.assert_allclose(parts.norms, whole.norms, atol=1e-6)


@every_chunk
def test_random_starts_are_equal_to_the_bit(pair, chunk):
    """A step of size 0 leaves the start."""
    ensemble, variables, test = pair
    still = pgd(0.1, 0.0, 1)
    run = jax.jit(partial(craft, ensemble, members=(0,), key=KEY), static_argnames="chunk")
    starts = [
        run(variables=variables, attack=still, dataset=test, chunk=size) for size in (chunk, N)
    ]
    np.testing.assert_array_equal(*starts)
    assert np.abs(starts[0] - test.images).max() > 0.05
