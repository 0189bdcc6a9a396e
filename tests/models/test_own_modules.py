"""Readers' own modules: trained and applied rightly, or refused in one line when initialised."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxadv import models
from jaxadv.errors import UserError
from jaxadv.models import from_linen
from jaxadv.models.functions import plain_function
from tests.data.fixtures import assert_one_line

KEY = jax.random.key(0)
X = np.float32(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)))


def norm(off):
    return nn.BatchNorm(use_running_average=off, momentum=0.9)


def drop(off):
    return nn.Dropout(0.5, deterministic=off)


def noisy(module, x, on, stream="noise"):
    return x + jax.random.normal(module.make_rng(stream), x.shape) if on else x


def module(body, default=None, name="train"):
    """A module of one flag (none without a default) whose body maps (self, flat x, flag) to x."""

    def run(self, x, flag):
        made = body(self, x.reshape(len(x), -1), flag)
        return made[0] if isinstance(made, tuple) else nn.Dense(3)(made)

    def call(self, x):
        return run(self, x, None)

    if default is None:
        function = call
    else:
        space = {}
        exec(
            f"def call(self, x, {name}={default}): return run(self, x, {name})", {"run": run}, space
        )
        function = space["call"]
    return type("Net", (nn.Module,), {"__call__": nn.compact(function)})()


NORM = lambda self, x, train: norm(not train)(x)  # noqa: E731
DROP = lambda self, x, train: drop(not train)(x)  # noqa: E731
OFF = lambda self, x, off: drop(off)(norm(off)(x))  # noqa: E731
NOISE = lambda self, x, train: noisy(self, x, train)  # noqa: E731


class Attention(nn.Module):
    fixed: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        rows = x.reshape(len(x), 4, 4)
        off = True if self.fixed else not train
        rows = nn.MultiHeadDotProductAttention(2, dropout_rate=0.5, deterministic=off)(rows)
        return nn.Dense(3)(rows.reshape(len(x), -1))


class Neck(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(3)(norm(not train)(x.reshape(len(x), -1)))


class Necks(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        axes = {"params": 0, "batch_stats": 0}
        lifted = nn.vmap(
            Neck, in_axes=None, variable_axes=axes, split_rngs={"params": True}, axis_size=2
        )()
        return lifted(x, train).sum(0)


RIGHT = {
    "batch norm": (module(NORM, False), "train"),
    "on by default": (module(NORM, True), "train"),
    "dropout": (module(DROP, False), "train"),
    "deterministic": (module(OFF, True, "deterministic"), "not deterministic"),
    "running average": (module(OFF, True, "use_running_average"), "not use_running_average"),
    "a name of one's own": (module(OFF, False, "calm"), "not calm"),
    "noise": (module(NOISE, False), "train"),
    "noise of the stream params": (module(partial(noisy, stream="params"), False), "train"),
    "attention": (Attention(), "train"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_flag_named_rightly_trains_in_training_alone(name):
    net, argument = RIGHT[name]
    model = from_linen(net, train_argument=argument)
    variables = jax.jit(model.init)(KEY, X)
    apply = jax.jit(model.apply, static_argnames="train")
    calm, unchanged = apply(variables, X)
    np.testing.assert_allclose(calm.logits[:2], apply(variables, X[:2])[0].logits, atol=1e-5)
    lively, moved = apply(variables, X, train=True, key=KEY)
    assert float(jnp.abs(lively.logits - calm.logits).max()) > 0.01
    if "batch_stats" in variables:
        mean = moved["batch_stats"]["BatchNorm_0"]["mean"]
        np.testing.assert_allclose(mean, 0.1 * X.reshape(6, -1).mean(0), rtol=1e-4)
        assert jax.tree.all(jax.tree.map(np.array_equal, unchanged, variables))
    if name not in ("batch norm", "on by default"):
        other = apply(variables, X, train=True, key=jax.random.key(1))[0]
        again = apply(variables, X, train=True, key=KEY)[0]
        assert float(jnp.abs(lively.logits - other.logits).max()) > 0.01
        np.testing.assert_array_equal(lively.logits, again.logits)


WRONG = {
    "forgotten": (module(NORM, False), "", "train_argument='train'"),
    "forgotten, on by default": (module(NORM, True), "", "train_argument='train'"),
    "forgotten dropout": (module(DROP, False), "", "train_argument='train'"),
    "forgotten noise": (module(NOISE, False), "", "train_argument='train'"),
    "forgotten deterministic": (
        module(OFF, True, "deterministic"), "", "train_argument='not deterministic'"
    ),
    "forgotten, another name": (module(DROP, False, "learn"), "", "train_argument='learn'"),
    "forgotten, another name, on": (module(NORM, True, "learn"), "", "train_argument='learn'"),
    "deterministic": (
        module(OFF, True, "deterministic"), "deterministic", "train_argument='not deterministic'"
    ),
    "a dropout inverted": (
        module(lambda s, x, off: drop(off)(x), True, "off"), "off", "train_argument='not off'"
    ),
    "not train": (module(NORM, False), "not train", "train_argument='train'"),
    "half inverted": (
        module(lambda s, x, t: drop(t)(norm(not t)(x)), False), "train", "turn it round"
    ),
    "always training": (module(lambda s, x, _: norm(False)(x)), "", "an argument `train`"),
    "never training": (module(lambda s, x, _: norm(True)(x)), "", "train_argument=None"),
    "dropout always": (module(lambda s, x, _: drop(False)(x)), "", "an argument `train`"),
    "dropout never": (module(lambda s, x, _: drop(True)(x)), "", "train_argument=None"),
    "attention never": (Attention(fixed=True), "train", "dropout"),
    "unsaid": (module(lambda s, x, _: nn.BatchNorm()(x)), "", "use_running_average=not train"),
    "noise in eval mode": (module(lambda s, x, _: noisy(s, x, True)), "", "noise"),
    "statistics in eval mode": (
        module(lambda s, x, _: nn.SpectralNorm(nn.Dense(4))(x, update_stats=True)), "", "immutable"
    ),
    "statistics never": (
        module(lambda s, x, _: nn.SpectralNorm(nn.Dense(4))(x, update_stats=False)), "",
        "batch_stats",
    ),
    "a tuple": (module(lambda s, x, _: ((nn.Dense(3)(x), x),)), "", "tuple of 2"),
    "a dict": (module(lambda s, x, _: ({"logits": nn.Dense(3)(x)},)), "", "dict of 1"),
    "nothing": (module(lambda s, x, _: (None,)), "", "NoneType"),
    "classes": (module(lambda s, x, _: (jnp.argmax(nn.Dense(3)(x), 1),)), "", "int32 (6,)"),
    "one logit": (module(lambda s, x, _: (nn.Dense(1)(x),)), "", "[0, s]"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_module_is_refused_when_initialised(name):
    net, argument, part = WRONG[name]
    model = from_linen(net, train_argument=argument)
    with pytest.raises(UserError) as raised:
        jax.jit(jax.vmap(lambda key: model.init(key, X)))(jax.random.split(KEY))
    assert_one_line(raised, part)


class Extra(nn.Module):
    @nn.compact
    def __call__(self, x, labels):
        return nn.Dense(3)(x)


class NoCall(nn.Module):
    def other(self, x):
        return x


MADE = {
    "a class": (Extra, {}, "Extra(…)"),
    "a required argument": (Extra(), {}, "labels"),
    "a required flag": (models.residual_autoencoder.Block(3, 3), {}, "train_argument='train'"),
    "no such argument": (Attention(), {"train_argument": "trian"}, "['train']"),
    "the images": (Attention(), {"train_argument": "x"}, "'x'"),
    "no text": (Attention(), {"train_argument": True}, "True"),
    "a feature's number": (Attention(), {"feature": 3}, "feature=3"),
    "no call": (NoCall(), {}, "__call__"),
    "NNX": (nnx.Linear(3, 4, rngs=nnx.Rngs(0)), {}, "NNX"),
    "a function": (lambda x: x, {}, "function"),
    "nothing": (None, {}, "NoneType"),
    "a model": (models.cnn(), {}, "Model"),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_no_module_or_has_no_such_argument_is_refused_when_made(name):
    given, settings, part = MADE[name]
    with pytest.raises(UserError) as raised:
        from_linen(given, **settings)
    assert_one_line(raised, part)


@pytest.mark.parametrize(
    ("net", "argument", "collections"),
    [
        (module(lambda s, x, t: x, False), "", {"params"}),  # a flag without effect
        (module(NORM, False), None, {"params", "batch_stats"}),  # meant to stay
        (module(lambda s, x, _: norm(True)(x)), None, {"params", "batch_stats"}),
        (module(lambda s, x, _: nn.Dropout(0.0, deterministic=True)(x)), "", {"params"}),
        (Necks(), "train", {"params", "batch_stats"}),
        (nn.Sequential([lambda x: x.reshape(len(x), -1), nn.Dense(3)]), "", {"params"}),
    ],
)
def test_what_is_right_is_taken(net, argument, collections):
    model = from_linen(net, train_argument=argument)
    variables = jax.jit(model.init)(KEY, X)
    assert set(variables) == collections
    apply = jax.jit(partial(model.apply, train=True))
    assert apply(variables, X, key=KEY)[0].logits.shape == (6, 3)


def test_what_is_sown_is_no_variable():
    """Sown losses would grow with every step; a feature may be sown where Flax's examples do."""

    def body(self, x, _):
        self.sow("losses", "norm", jnp.sum(x**2))
        self.sow("intermediates", "twice", 2 * x)
        return x

    model = from_linen(module(body), "twice")
    variables = model.init(KEY, X)
    assert set(variables) == {"params"}
    outputs, updated = model.apply(variables, X, train=True)
    assert jax.tree.structure(updated) == jax.tree.structure(variables)
    np.testing.assert_allclose(outputs.taps["twice"], 2 * X.reshape(6, -1))


def test_taps_left_in_the_variables_are_not_taken_for_features():
    net = models.CNNModule(3)
    variables = jax.jit(net.init)(KEY, np.zeros((6, 8, 8, 1), np.float32))
    assert "taps" in variables
    x = np.float32(np.random.default_rng(1).uniform(size=(6, 8, 8, 1)))
    model = models.cnn(3)
    apply = jax.jit(model.apply)
    outputs = apply(variables, x)[0]
    clean = apply({"params": variables["params"]}, x)[0]
    np.testing.assert_array_equal(outputs.taps["features"], clean.taps["features"])


@pytest.mark.parametrize(("made", "part"), [(lambda x: (x, x), "tuple"), (lambda x: x.sum(0), "6")])
def test_a_feature_that_is_no_array_of_the_images_is_refused(made, part):
    def body(self, x, _):
        self.sow("taps", "odd", made(x))
        return x

    with pytest.raises(UserError) as raised:
        from_linen(module(body), "odd").init(KEY, X)
    assert_one_line(raised, "odd", part)


class Trained(nnx.Module):
    def __init__(self):
        self.inner = nnx.List([nnx.BatchNorm(3, rngs=nnx.Rngs(0))])
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.drop(self.inner[0](x))


def test_an_nnx_module_in_train_mode_is_refused_and_in_eval_mode_runs():
    net, x = Trained(), np.float32(np.random.default_rng(0).normal(size=(5, 3)))
    for given in (net, net.__call__):
        with pytest.raises(UserError) as raised:
            plain_function(given)
        assert_one_line(raised, "Trained is in train mode", ".eval()")
    with pytest.raises(UserError) as raised:
        jax.jit(plain_function(lambda x: net(x)))(x)
    assert_one_line(raised, ".eval()")
    net.eval()
    for given in (net, lambda x: net(x)):
        function = plain_function(given)
        np.testing.assert_allclose(jax.jit(function)(x), x / np.sqrt(1 + 1e-5), rtol=1e-5)
        assert function == plain_function(given)  # a program compiled for one serves the other
        assert plain_function(function) is function


@pytest.mark.parametrize("given", [models.cnn(), Extra(), Extra, None, 3], ids=range(5))
def test_what_is_no_function_of_images_is_refused(given):
    with pytest.raises(UserError, match="where a function is wanted") as raised:
        plain_function(given)
    assert_one_line(raised)


def test_a_bridged_nnx_module_with_running_statistics_is_refused():
    """In eval mode it normalises by the batch, and drops the update without a word."""

    class Bridged(nnx.Module):
        def __init__(self, *, rngs):
            self.norm = nnx.BatchNorm(3, rngs=rngs)

        def __call__(self, x):
            return self.norm(x)

    model = from_linen(nnx.bridge.to_linen(Bridged))
    with pytest.raises(UserError) as raised:
        model.init(KEY, np.ones((5, 3), np.float32))
    assert_one_line(raised, "bridge", ".eval()")
