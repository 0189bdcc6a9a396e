"""Every network of the library: sizes, images, keys and variables that cannot be, in one line."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import models
from jaxadv.errors import UserError
from jaxadv.models import from_linen
from jaxadv.models.model import chunked
from tests.data.fixtures import assert_one_line

KEY = jax.random.key(0)
# each with the least pixels a side
NETWORKS = {
    "cnn": (lambda: models.cnn(3), 4),
    "dna_classifier": (lambda: models.dna_classifier(3), 8),
    "lenet": (lambda: models.lenet(3), 10),
    "fc": (lambda: models.fc(3, (6, 5), 2), 1),
    "dna": (lambda: models.dna(2, 2, (5, 4, 3, 4, 5)).model, 1),
    "residual_dna": (lambda: models.residual_dna().model, 4),
    "residual_classifier": (lambda: models.residual_classifier(3), 8),
}
every = pytest.mark.parametrize("name", NETWORKS)


def images(*shape):
    return np.float32(np.random.default_rng(0).uniform(size=shape))


def shapes_of(model, x):
    variables = jax.eval_shape(model.init, KEY, x)
    return variables, jax.eval_shape(lambda v, x: model.apply(v, x)[0], variables, x)


@cache
def given(name, *shape):
    """A network and the shapes of its variables for images of this shape, traced once."""
    model = NETWORKS[name][0]()
    return model, jax.eval_shape(model.init, KEY, images(*shape))


def refused(call, *parts):
    with pytest.raises(UserError) as raised:
        call()
    assert_one_line(raised, *parts)


@every
def test_the_least_size_runs_finite_and_less_is_refused(name):
    make, least = NETWORKS[name]
    model, x = make(), images(2, least, least, 1)
    variables = jax.jit(model.init)(KEY, x)
    outputs = jax.jit(lambda v, x: model.apply(v, x)[0])(variables, x)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outputs))
    for height, width in [(least - 1, least), (least, least - 1), (0, least)]:
        small = images(2, height, width, 1)
        size = f"{height}×{width}"
        refused(lambda small=small: model.init(KEY, small), size, f"{least} pixels a side")
        refused(lambda small=small: model.apply(variables, small), size, f"{least} pixels a side")


@every
def test_channels_first_and_missing_axes_are_refused(name):
    model, variables = given(name, 2, 32, 32, 3)
    flat = name in ("fc", "dna")  # which flatten their images, and take flat ones
    for shape in [(32, 32, 3), (5, 32, 32), (32, 32), (1, 2, 32, 32, 3)]:
        if not (flat and len(shape) == 2):
            refused(lambda shape=shape: model.init(KEY, images(*shape)), str(shape), "x[None]")
        refused(lambda shape=shape: jax.eval_shape(model.apply, variables, images(*shape)))
    if NETWORKS[name][1] > 3:
        refused(lambda: model.init(KEY, images(2, 3, 32, 32)), "3×32", "makes 32 the channels")


def test_sides_that_cannot_be_halved_twice():
    model, variables = given("residual_dna", 2, 12, 12, 1)
    for call in (model.init, lambda _, x: jax.eval_shape(model.apply, variables, x)):
        refused(lambda call=call: call(KEY, images(1, 10, 8, 1)), "10×8", "multiples of 4")


@pytest.mark.parametrize("name", ["lenet", "fc", "dna", "cnn", "residual_classifier"])
def test_variables_of_another_size_or_channel_count_are_refused(name):
    model, variables = given(name, 2, 12, 12, 1)
    others = [(2, 12, 12, 3)] if name in ("cnn", "residual_classifier") else [(2, 20, 20, 1)]
    for shape in others:
        refused(lambda shape=shape: jax.eval_shape(model.apply, variables, images(*shape)), "size")


@every
def test_a_batch_without_images_is_refused(name):
    model, variables = given(name, 2, 12, 12, 2)
    none = images(0, 12, 12, 2)
    refused(lambda: model.init(KEY, none), "0 images")
    for train in (False, True):
        refused(lambda train=train: model.apply(variables, none, train=train, key=KEY), "0 images")


@every
@pytest.mark.parametrize("kind", ["uint8", "int32", "bool", "complex64"])
def test_images_that_are_not_floats_are_refused(name, kind):
    (model, variables), x = given(name, 2, 12, 12, 1), images(90, 12, 12, 1)
    for call in (
        lambda: model.init(KEY, x.astype(kind)),
        lambda: model.apply(variables, x.astype(kind)),
    ):
        refused(call, kind, "[0, 1]")
    refused(lambda: model.init(KEY, x.tolist()), "list")


@every
@pytest.mark.parametrize("key", [0, None, "a", jax.random.split(KEY), np.zeros(2)], ids=repr)
def test_what_is_no_key_is_refused(name, key):
    (model, variables), x = given(name, 2, 12, 12, 1), images(90, 12, 12, 1)
    refused(lambda: model.init(key, x), "jax.random.key(0)")
    if key is not None:
        refused(lambda: model.apply(variables, x, train=True, key=key), "jax.random.key(0)")


def test_keys_of_the_old_kind_are_taken():
    x = images(2, 4, 4, 1)
    init = jax.jit(models.fc(3, (4,), 1).init)
    old, new = init(jax.random.PRNGKey(0), x), init(KEY, x)
    jax.tree.map(np.testing.assert_array_equal, old, new)


@every
def test_from_linen_takes_the_librarys_own_modules_unchanged(name):
    """What tries readers' modules finds nothing in these, and alters nothing."""
    modules = {
        "cnn": (models.CNNModule(3), ""),
        "dna_classifier": (models.DNAClassifierModule(3), ""),
        "lenet": (models.LeNetModule(3), ""),
        "fc": (models.FCModule((6, 5), 2, 3), "train"),
        "dna": (models.DenseDNAModule(2, 2, (5, 4, 3, 4, 5)), ""),
        "residual_dna": (models.ResidualDNAModule(), "train"),
        "residual_classifier": (models.ResidualClassifierModule(3), "train"),
    }
    module, argument = modules[name]
    x = images(2, 12, 12, 1)
    tried = from_linen(module, "features", train_argument=argument)
    assert shapes_of(tried, x) == shapes_of(NETWORKS[name][0](), x)


NUMBERS = {
    **{
        f"{name} of {count!r} classes": (lambda make=make, count=count: make(count), "classes")
        for name, make in {
            "cnn": models.cnn,
            "fc": models.fc,
            "lenet": models.lenet,
            "dna_classifier": models.dna_classifier,
            "residual_classifier": models.residual_classifier,
        }.items()
        for count in (0, 1, -3, 2.5, 10.0, True, "10", None)
    },
    **{
        f"block {block!r}": (lambda block=block: models.cnn(3, block), "has 1 to 3")
        for block in (0, 4, -1, True, 2.0, "2")
    },
    "lenet's block": (lambda: models.lenet(3, 5), "has 1 to 4"),
    "fc's block": (lambda: models.fc(3, (4, 4), 3), "has 1 to 2"),
    **{
        f"widths {widths!r}": (lambda widths=widths: models.fc(3, widths, 1), str(widths)[:3])
        for widths in ((), 500, "500")
    },
    "a width of 0": (lambda: models.fc(3, (4, 0), 1), "0 wide"),
    "a width of 2.5": (lambda: models.dna(2, 2, (4, 2.5, 4)), "2.5 wide"),
    "no widths": (lambda: models.dna(2, 2, ()), "()"),
    **{
        f"{necks!r} necks": (lambda necks=necks: models.dna(necks), "necks")
        for necks in (0, True, 1.5, "2")
    },
    "residual necks": (lambda: models.residual_dna(2.0), "2.0 necks"),
    **{
        f"{count!r} unshared": (lambda count=count: models.dna(2, count), "unshared")
        for count in (0, 3, 8, 2.0, True)
    },
    **{
        f"chunks of {size!r}": (lambda size=size: chunked(models.cnn(), size), "chunks of")
        for size in (0, -1, 2.5, True)
    },
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_cannot_be_are_refused_when_the_model_is_made(name):
    call, part = NUMBERS[name]
    refused(call, part)


@pytest.mark.parametrize(
    "autoencoder", [models.dna(3, 2, (5, 4, 3, 4, 5)), models.residual_dna(3)], ids=["dna", "res"]
)
def test_pathways_that_are_not_there_are_not_the_last_in_silence(autoencoder):
    shapes = jax.eval_shape(autoencoder.model.init, KEY, images(1, 8, 8, 1))
    variables = jax.tree.map(lambda leaf: images(*leaf.shape), shapes)  # random numbers will do
    for indices in [(3,), (-1,), (0.5,), (True,), np.array([0, 7]), jnp.array([5])]:
        refused(lambda indices=indices: autoencoder.pick(variables, indices), "pathway")
    refused(lambda: autoencoder.pick(variables, ()), "necks")
    picked, chosen = autoencoder.pick(variables, np.array([2, 0]))
    assert picked.necks == 2
    traced = jax.jit(lambda v, i: autoencoder.pick(v, i)[1])(variables, jnp.array([2, 0]))
    jax.tree.map(np.testing.assert_array_equal, traced, chosen)


def test_variables_that_are_none_of_the_networks():
    model, x = models.cnn(3), images(2, 8, 8, 1)
    for variables in ((), None, {}, jax.jit(model.init)(KEY, x)["params"]):
        refused(lambda variables=variables: model.apply(variables, x))
