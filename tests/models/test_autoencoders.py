import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import dna
from tests.data.fixtures import assert_one_line

KEY = jax.random.key(0)
SMALL = (5, 4, 3, 4, 5)  # widths


@pytest.fixture
def x(rng):
    return np.float32(rng.uniform(size=(7, 4, 4, 1)))


def count(variables):
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


# Weights and biases of 784-100-128, of one neck 128-64-128, and of 128-100-784.
ENCODER = 784 * 100 + 100 + 100 * 128 + 128
NECK = 128 * 64 + 64 + 64 * 128 + 128
DECODER = 128 * 100 + 100 + 100 * 784 + 784


@pytest.mark.parametrize(
    ("necks", "unshared", "parameters"),
    [
        (1, 2, ENCODER + NECK + DECODER),
        (2, 2, ENCODER + 2 * NECK + DECODER),
        (2, 4, ENCODER + 2 * NECK + DECODER + 100 * 128 + 128 + 128 * 100 + 100),
        (2, 6, 2 * (ENCODER + NECK + DECODER)),
        (3, 2, ENCODER + 3 * NECK + DECODER),
    ],
)
def test_shapes_and_parameter_counts_on_mnist(necks, unshared, parameters):
    model = dna(necks, unshared).model
    x = jnp.zeros((2, 28, 28, 1))
    variables = jax.eval_shape(model.init, KEY, x)
    assert count(variables) == parameters
    outputs, _ = jax.eval_shape(model.apply, variables, x)
    assert outputs.logits is None
    assert outputs.taps["features"].shape == (necks, 2, 64)
    assert outputs.reconstruction.shape == (necks, 2, 28, 28, 1)


@pytest.mark.parametrize("unshared", [2, 4, 6])
def test_each_pathway_is_the_six_layers_written_out(unshared, x):
    model = dna(2, unshared, SMALL).model
    variables = jax.jit(model.init)(KEY, x)
    outputs, _ = jax.jit(model.apply)(variables, x)
    own = {2: (3, 4), 4: (2, 3, 4, 5), 6: (1, 2, 3, 4, 5, 6)}[unshared]
    for neck in range(2):
        hidden = x.reshape(7, -1)
        for layer in range(1, 7):
            params = variables["params"][f"layer{layer}"]
            kernel, bias = (
                params[k][neck] if layer in own else params[k] for k in ("kernel", "bias")
            )
            hidden = hidden @ kernel + bias
            hidden = 1 / (1 + np.exp(-hidden)) if layer == 6 else np.maximum(hidden, 0)
            if layer == 3:
                np.testing.assert_allclose(outputs.taps["features"][neck], hidden, atol=1e-6)
        np.testing.assert_allclose(outputs.reconstruction[neck], hidden.reshape(x.shape), atol=1e-6)


def test_necks_begin_apart(x):
    variables = jax.jit(dna(2, 2, SMALL).model.init)(KEY, x)
    kernel = variables["params"]["layer3"]["kernel"]
    assert np.max(np.abs(kernel[0] - kernel[1])) > 0.01


@pytest.mark.parametrize("indices", [(1,), (2, 0)])
def test_picked_necks_do_what_they_did(indices, x):
    autoencoder = dna(3, 4, SMALL)
    variables = jax.jit(autoencoder.model.init)(KEY, x)
    chosen, some = autoencoder.pick(variables, indices)
    assert chosen.necks == len(indices)
    everything = jax.jit(autoencoder.model.apply)(variables, x)[0]
    alone = jax.jit(chosen.model.apply)(some, x)[0]
    for position, index in enumerate(indices):
        chex.assert_trees_all_close(
            (alone.reconstruction[position], alone.taps["features"][position]),
            (everything.reconstruction[index], everything.taps["features"][index]),
            rtol=1e-6,
        )


@pytest.mark.parametrize("bad", [{"necks": 0}, {"unshared": 3}, {"unshared": 0}, {"unshared": 8}])
def test_impossible_autoencoders(bad):
    with pytest.raises(UserError) as error:
        dna(**bad)
    assert_one_line(error, next(iter(bad.values())))
