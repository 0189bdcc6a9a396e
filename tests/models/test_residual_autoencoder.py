"""The CIFAR-10 networks: shapes, parameters counted by hand, necks; PyTorch parity stands apart."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import residual_classifier, residual_dna
from tests.data.fixtures import assert_one_line

KEY = jax.random.key(0)


def conv(channels, features, size=3):
    return size**2 * channels * features + features


def block(channels, features):
    """Two BatchNorms, two convolutions, and a 1×1 one where the channels change."""
    skip = conv(channels, features, 1) if channels != features else 0
    return 2 * channels + conv(channels, features) + 2 * features + conv(features, features) + skip


ENCODER = block(3, 16) + block(16, 32)
NECK = block(32, 32) + block(32, 7) + block(7, 32) + block(32, 32)
DECODER = conv(32, 32, 2) + block(32, 16) + conv(16, 16, 2) + block(16, 3)
CLASSIFIER = conv(3, 64) + block(64, 128) + block(128, 256) + block(256, 512) + 512 * 10 + 10


def count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize("necks", [1, 2, 3])
def test_shapes_and_parameter_counts_on_cifar10(necks):
    model = residual_dna(necks).model
    x = jnp.zeros((2, 32, 32, 3))
    variables = jax.eval_shape(model.init, KEY, x)
    assert count(variables) == ENCODER + necks * NECK + DECODER
    outputs, _ = jax.eval_shape(model.apply, variables, x)
    assert outputs.logits is None
    assert outputs.taps["features"].shape == (necks, 2, 448)
    assert outputs.reconstruction.shape == (necks, 2, 32, 32, 3)


def test_the_classifier_of_reconstructions():
    model = residual_classifier()
    x = jnp.zeros((2, 32, 32, 3))
    variables = jax.eval_shape(model.init, KEY, x)
    assert count(variables) == CLASSIFIER
    outputs, _ = jax.eval_shape(model.apply, variables, x)
    assert outputs.logits.shape == (2, 10)
    assert outputs.taps["features"].shape == (2, 512)


@pytest.mark.slow
def test_picked_necks_do_what_they_did_and_images_stay_images(rng):
    x = np.float32(rng.uniform(size=(3, 8, 8, 1)))
    autoencoder = residual_dna(3)
    variables = jax.jit(autoencoder.model.init)(KEY, x)
    chosen, some = autoencoder.pick(variables, (2, 0))
    assert chosen.necks == 2
    everything = jax.jit(autoencoder.model.apply)(variables, x)[0]
    alone = jax.jit(chosen.model.apply)(some, x)[0]
    for position, index in enumerate((2, 0)):
        chex.assert_trees_all_close(
            (alone.reconstruction[position], alone.taps["features"][position]),
            (everything.reconstruction[index], everything.taps["features"][index]),
            rtol=1e-4,
            atol=1e-5,
        )
    assert np.abs(everything.reconstruction[0] - everything.reconstruction[1]).max() > 0.001
    assert everything.reconstruction.min() >= 0
    assert everything.reconstruction.max() <= 1


def test_impossible_autoencoders():
    with pytest.raises(UserError) as error:
        residual_dna(0)
    assert_one_line(error, "0 necks")
    with pytest.raises(UserError) as error:
        residual_dna().model.init(KEY, jnp.zeros((1, 30, 32, 3)))
    assert_one_line(error, "30×32")
