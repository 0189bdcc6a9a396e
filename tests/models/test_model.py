from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import CNNModule, Outputs, cnn, fc, from_linen, lenet
from jaxadv.models.model import chunked
from tests.data.fixtures import assert_one_line

KEY = jax.random.key(0)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Dense(5)(x))


class Readers(nn.Module):
    """A reader's own module: it returns logits and knows nothing of jaxadv."""

    @nn.compact
    def __call__(self, x):
        x = Block(name="block")(x.reshape(len(x), -1))
        x = nn.Dense(4)(x)
        return nn.Dense(3)(x)


class Regularised(nn.Module):
    """BatchNorm and dropout, switched by a keyword of the reader's own name."""

    @nn.compact
    def __call__(self, x, *, learning=False):
        x = nn.Dense(64)(x.reshape(len(x), -1))
        x = nn.BatchNorm(use_running_average=not learning, momentum=0.9)(x)
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=not learning)(x))


@pytest.fixture
def x(rng):
    return np.float32(rng.uniform(size=(6, 4, 4, 1)))


def dense(params, x):
    return x @ params["kernel"] + params["bias"]


def test_features_of_a_readers_module(x):
    module = Readers()
    variables = jax.jit(from_linen(module).init)(KEY, x)
    assert set(variables) == {"params"}
    p = variables["params"]
    pre = dense(p["block"]["Dense_0"], x.reshape(6, -1))
    hidden = np.maximum(pre, 0)
    by_name = {
        "block/Dense_0": pre,
        "block": hidden,
        "Dense_0": dense(p["Dense_0"], hidden),
        "Dense_1": module.apply(variables, x),
        "logits": module.apply(variables, x),
    }
    for name, expected in by_name.items():
        model = from_linen(module, name)
        outputs, unchanged = model.apply(variables, x)
        assert model.feature == name
        np.testing.assert_allclose(outputs.taps[name], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outputs.logits, by_name["logits"], rtol=1e-6)
        assert unchanged == variables


def test_without_a_name_the_logits_are_the_features(x):
    model = from_linen(Readers())
    outputs, _ = model.apply(model.init(KEY, x), x)
    np.testing.assert_array_equal(outputs.taps[model.feature], outputs.logits)


@pytest.mark.parametrize(
    ("name", "choices"),
    [("nope", "['Dense_0', 'Dense_1', 'block']"), ("block/Dense_7", "['Dense_0']")],
)
def test_an_unknown_feature_names_the_choices(x, name, choices):
    model = from_linen(Readers(), name)
    with pytest.raises(UserError) as error:
        model.apply(model.init(KEY, x), x)
    assert_one_line(error, name, choices)


def test_a_module_may_return_outputs_of_its_own(x):
    class WithTaps(nn.Module):
        @nn.compact
        def __call__(self, x):
            hidden = nn.Dense(5)(x.reshape(len(x), -1))
            return Outputs(nn.Dense(3)(hidden), {"hidden": hidden}, reconstruction=x)

    model = from_linen(WithTaps(), "hidden")
    outputs, _ = jax.jit(model.apply)(jax.jit(model.init)(KEY, x), x)
    assert outputs.taps["hidden"].shape == (6, 5)
    np.testing.assert_array_equal(outputs.reconstruction, x)


@pytest.fixture
def regularised(x):
    model = from_linen(Regularised(), "Dense_0", train_argument="learning")
    return model, jax.jit(model.init)(KEY, x)


def test_batch_norm_moves_in_training_and_not_in_eval(regularised, x):
    model, variables = regularised
    features = model.apply(variables, x)[0].taps["Dense_0"]
    _, trained = model.apply(variables, x, train=True, key=KEY)
    moved = trained["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(moved["mean"], 0.1 * features.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved["var"], 0.9 + 0.1 * features.var(0), rtol=1e-4)
    assert trained["params"] is variables["params"]
    outputs, same = model.apply(variables, x, train=False)
    assert same["batch_stats"] is variables["batch_stats"]
    alone, _ = model.apply(variables, x[:1])
    np.testing.assert_allclose(outputs.logits[:1], alone.logits, rtol=1e-5, atol=1e-6)


def test_dropout_follows_its_key_in_training_alone(regularised, x):
    model, variables = regularised

    def logits(**settings):
        return np.asarray(model.apply(variables, x, **settings)[0].logits)

    first = logits(train=True, key=KEY)
    np.testing.assert_array_equal(first, logits(train=True, key=KEY))
    assert np.max(np.abs(first - logits(train=True, key=jax.random.key(1)))) > 0.01
    np.testing.assert_array_equal(logits(key=KEY), logits())


class Small(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = jnp.tanh(nn.Dense(5)(x.reshape(len(x), -1)))
        self.sow("taps", "features", x)
        return nn.Dense(3)(x)


@pytest.mark.parametrize(
    ("module", "batch"),
    [*((Small(), batch) for batch in (1, 39, 40, 41, 79, 80, 123)), (CNNModule(), 83)],
    ids=str,
)
def test_chunked_equals_unchunked(rng, module, batch):
    """Chunks are of 40 images on a CPU; other backends take the whole batch."""
    x = np.float32(rng.uniform(size=(batch, 8, 8, 1)))
    whole = from_linen(module, "features")
    variables = jax.jit(whole.init)(KEY, x[:1])

    @partial(jax.jit, static_argnums=0)
    @partial(jax.value_and_grad, argnums=(1, 2), has_aux=True)
    def run(model, variables, x):
        outputs, _ = model.apply(variables, x)
        return jnp.sum(jnp.sin(outputs.logits)) + jnp.sum(outputs.taps["features"]), outputs

    expected, actual = (run(model, variables, x) for model in (whole, chunked(whole, 40)))
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=2e-5 * max(1, np.max(np.abs(b))))


@pytest.mark.parametrize(
    ("model", "shape", "logits", "features"),
    [
        (cnn(), (28, 28, 1), 10, 784),
        (cnn(7), (8, 8, 1), 7, 64),
        (cnn(), (32, 32, 3), 10, 1024),
        (lenet(), (28, 28, 1), 10, 84),
        (fc(), (28, 28, 1), 10, 200),
        (fc(3, (6, 5, 4, 2, 2)), (8, 8, 1), 3, 2),
    ],
)
def test_shapes_of_the_papers_networks(model, shape, logits, features):
    x = jnp.zeros((5, *shape))
    outputs, _ = jax.eval_shape(model.apply, jax.eval_shape(model.init, KEY, x), x)
    assert outputs.logits.shape == (5, logits)
    assert outputs.taps["features"].shape == (5, features)


def test_parameter_counts_of_the_papers_networks():
    x = jnp.zeros((1, 28, 28, 1))
    count = lambda model: sum(  # noqa: E731
        leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, KEY, x)["params"])
    )
    assert count(cnn()) == 80 + 1168 + 4640 + 330
    assert count(lenet()) == 60 + 880 + (400 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 10
    weights = 784 * 500 + 500 * 500 + 500 * 200 + 200 * 200 + 200 * 100 + 100 * 10
    assert count(fc()) == weights + 3 * (500 + 500 + 200 + 200 + 100) + 10


def test_lenet_names_images_that_are_too_small():
    with pytest.raises(UserError, match="images of 8×8: LeNet needs 10 pixels") as raised:
        lenet().init(KEY, jnp.zeros((1, 8, 8, 1)))
    assert_one_line(raised)


def test_a_tap_sown_inside_a_submodule_is_named_by_its_path():
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x):
            self.sow("taps", "inner", 2 * x)
            return x

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Block(name="block")(x)

    model = from_linen(Net(), "block/inner")
    outputs, _ = model.apply(model.init(jax.random.key(0), jnp.ones((2, 3))), jnp.ones((2, 3)))
    np.testing.assert_array_equal(outputs.taps["block/inner"], 2 * np.ones((2, 3)))


@pytest.mark.parametrize(
    ("model", "side", "widths"),
    [
        (cnn, 28, (1568, 784, 1568)),
        (fc, 8, (500, 500, 200, 200, 100)),
        (lenet, 28, (1014, 400, 120, 84)),
    ],
    ids=["cnn", "fc", "lenet"],
)
def test_the_features_of_any_block(model, side, widths, rng):
    """One row an image, whatever the layout of the maps; they do not change the logits."""
    x = np.float32(rng.uniform(size=(3, side, side, 1)))
    usual = model()
    variables = jax.jit(usual.init)(KEY, x)
    logits = jax.jit(usual.apply)(variables, x)[0].logits
    for block, width in enumerate(widths, start=1):
        apply = jax.jit(model(feature_block=block).apply)
        outputs, alone = (apply(variables, given)[0] for given in (x, x[1:2]))
        assert outputs.taps["features"].shape == (3, width)
        np.testing.assert_allclose(outputs.taps["features"][1:2], alone.taps["features"], atol=1e-5)
        np.testing.assert_allclose(outputs.logits, logits, atol=1e-6)
    with pytest.raises(UserError, match=f"feature block {block + 1}: the network has 1 to {block}"):
        model(feature_block=block + 1).apply(variables, x)
