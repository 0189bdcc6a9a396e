"""What readers give to `evaluate`, `craft` and ensembles: taken right, flagged, or refused."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks, data, models
from jaxadv.data import Dataset
from jaxadv.ensemble import callables, member, mixed, pathways, stack, stacked
from jaxadv.errors import UserError
from jaxadv.evaluation import craft, evaluate, in_chunks
from tests.data.fixtures import assert_one_line

X = np.float32(np.random.default_rng(0).uniform(size=(6, 4, 4, 1)))
Y = np.array([0, 1, 2, 0, 1, 2])
WEIGHTS = np.float32(np.random.default_rng(1).normal(size=(16, 6)))
KEY = jax.random.key(0)


def logits(x):
    return x.reshape(len(x), 16) @ WEIGHTS[:, :3]


def evaluated(dataset=None, eps=(0.1,), members=(logits, lambda x: -logits(x)), **more):
    settings = {"attack": attacks.fgsm, "key": KEY, **more}
    dataset = Dataset(X, Y) if dataset is None else dataset
    return evaluate(callables(members), (), eps=eps, dataset=dataset, **settings)


def refused(call, *words):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, *words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dataset": Dataset(X[:0], Y[:0])}, ["(0, 4, 4, 1)", "at least one"]),
        ({"dataset": Dataset(X[:4], Y)}, ["4 images, 6 labels"]),
        ({"dataset": Dataset(X, Y[:4])}, ["6 images, 4 labels"]),
        ({"dataset": Dataset(X, Y[:, None])}, ["labels of shape (6, 1)"]),
        ({"dataset": Dataset(X, Y + 0.5)}, ["labels of type float64"]),
        ({"dataset": Dataset(X, Y + 1)}, ["labels from 1 to 3", "0 to 2; subtract 1"]),
        ({"dataset": Dataset(X, Y - 1)}, ["labels from -1"]),
        ({"dataset": Dataset(X.astype(np.uint16) + 300, Y)}, ["uint16 from 300"]),
        ({"dataset": Dataset(X > 0.5, Y)}, ["images of type bool"]),
        ({"dataset": Dataset(np.full_like(X, np.nan), Y)}, ["not finite"]),
        ({"dataset": (X, Y)}, ["a tuple for a data set", "data.Dataset"]),
        ({"dataset": data.from_arrays(X, Y, X, Y)}, [".train or .test"]),
        ({"eps": 0.1}, ["eps 0.1", "[0.1]"]),
        ({"eps": []}, ["eps []"]),
        ({"eps": [[0.1]]}, ["eps [[0.1]]"]),
        ({"eps": [-0.1]}, ["eps -0.1", "at least 0"]),
        ({"eps": [np.nan]}, ["eps nan"]),
        ({"chunk": 0}, ["chunk 0", "1 or more"]),
        ({"chunk": 2.5}, ["chunk 2.5"]),
        ({"keep": -1}, ["keep -1"]),
        ({"key": 0}, ["int 0 for a key", "jax.random.key(0)"]),
        ({"key": jax.random.split(KEY)}, ["keys of shape (2,)"]),
        ({"attack": attacks.fgsm(0.1)}, ["function of eps"]),
        ({"attack": "fgsm"}, ["function of eps"]),
        ({"attack": lambda eps: logits}, ["for an attack"]),
        ({"combine": "votes"}, ["combine 'votes'", "loss"]),
        ({"sources": {}}, ["sources {}"]),
        ({"sources": {"1": 0}}, ["source '1'", "(0,)"]),
        ({"sources": {"1": ()}}, ["members ()"]),
        ({"sources": {"1": (2,)}}, ["members [2]", "0 to 1"]),
        ({"sources": {"1": (-1,)}}, ["members [-1]"]),
        ({"sources": {"1": (0, 0)}}, ["name each once"]),
        ({"sources": {"1": (0.0,)}}, ["members (0.0,)"]),
        ({"sources": [(0,)]}, ["names to member indices"]),
        ({"members": ()}, ["at least one"]),
        ({"members": (logits, "model")}, ["where a function is wanted"]),
        ({"members": (logits, lambda x: x.reshape(len(x), 16) @ WEIGHTS)}, ["(6, 3)", "(6, 6)"]),
        ({"members": (lambda x: (logits(x),),)}, ["tuple"]),
        ({"members": (lambda x: logits(x)[:, 0],)}, ["[B, classes]"]),
        ({"members": (models.fc(3),)}, ["model.apply"]),
    ],
    ids=range(40),
)
def test_what_cannot_be_evaluated_is_named(more, words):
    if words and words[0] == "(6, 3)":
        words = ["(1, 3)", "(1, 6)"]  # looked at for one image
    refused(lambda: evaluated(**more), *words)


def test_the_very_arrays_of_a_data_set_as_loaded():
    test = data.load_dataset("digits").test
    few = Dataset(test.images[:20], test.labels[:20])
    wide = np.float32(np.random.default_rng(1).normal(size=(64, 10)))
    f = lambda x: x.reshape(len(x), 64) @ wide  # noqa: E731
    eager = evaluate(callables([f]), (), attacks.fgsm, [0.1], few, KEY)
    program = jax.jit(lambda eps: evaluate(callables([f]), (), attacks.fgsm, eps, few, KEY))
    np.testing.assert_allclose(program(jnp.array([0.1])).adversarial, eager.adversarial, atol=1e-6)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.int64, np.uint16])
def test_whole_numbers_to_255_are_what_uint8_is(kind):
    whole = np.rint(255 * X).astype(np.uint8)
    expected = evaluated(Dataset(whole, Y))
    found = evaluated(Dataset(whole.astype(kind), Y))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_images_outside_the_bounds_stay_in_the_ball_and_are_flagged():
    with pytest.warns(UserWarning, match="18 of 18 examples had pixels outside the attack's"):
        found = evaluated(Dataset(255 * X, Y))
    assert found.flags.outside.all()
    assert float(found.norms.max()) < 0.1001
    wide = evaluated(Dataset(255 * X, Y), attack=lambda eps: attacks.fgsm(eps, bounds=(0, 255)))
    assert not wide.flags.outside.any()


# Gradients that mislead ---------------------------------------------------------------------------


def gamma(x):
    """A root of the pixels: at black its slope is infinite, and 0 · ∞ is NaN."""
    return logits(jnp.sqrt(x) * jnp.where(x > 0, 1.0, 0.0))


def entropy(x):
    """x log x, the slope of which is NaN at 0."""
    return logits(jnp.where(x > 0, x * jnp.log(x), 0.0))


def unit(x):
    """Images divided by their norm: at a black image NaN."""
    return logits(x / jnp.sqrt(jnp.sum(x**2, axis=(1, 2, 3), keepdims=True) + 0.0))


BLACK = np.where(np.arange(16).reshape(4, 4, 1) < 3, 0, X).astype(np.float32)  # three black pixels
ATTACKS = {
    "fgsm": lambda: attacks.fgsm(0.1),
    "fgm": lambda: attacks.fgm(0.3),
    "pgd": lambda: attacks.pgd(0.1, 0.05, 4, random_start=False),
    "pgd_l2": lambda: attacks.pgd(0.3, 0.1, 4, "l2", random_start=False),
    "mi_fgsm": lambda: attacks.mi_fgsm(0.1, 4),
    "mi_fgsm_l2": lambda: attacks.mi_fgsm(0.3, 4, ball="l2"),
    "cw": lambda: attacks.cw(steps=60, searches=3, step_size=0.1, first_constant=10.0),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("model", [gamma, entropy])
def test_finite_pixels_move_where_others_have_no_gradient(name, model):
    y = np.asarray(model(BLACK)).argmax(-1)
    run = jax.jit(lambda x: ATTACKS[name]().flagged(attacks.untargeted(model, y), x))
    x_adv, flags = run(BLACK)
    assert np.all(np.isfinite(x_adv))
    moved = np.abs(np.asarray(x_adv) - BLACK).reshape(6, 16)
    if name != "cw":
        np.testing.assert_array_equal(moved[:, :3], 0)
    assert np.all(moved[:, 3:].max(1) > 0.01)
    assert flags.nonfinite.all()
    assert not flags.zero.any()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_image_without_any_finite_gradient_stays_and_is_flagged(name):
    x = np.where(np.arange(6).reshape(6, 1, 1, 1) == 2, 0, X).astype(np.float32)
    y = np.nan_to_num(np.asarray(unit(x))).argmax(-1)
    with pytest.warns(UserWarning, match="1 of 6 examples had gradients that are not finite"):
        x_adv = ATTACKS[name]()(attacks.untargeted(unit, y), x)
    assert np.all(np.isfinite(x_adv))
    if name != "cw":  # which starts inside the bounds, where this image is no longer black
        np.testing.assert_array_equal(x_adv[2], x[2])
    assert np.all(np.abs(x_adv - x).max((1, 2, 3))[np.arange(6) != 2] > 0.01)


def test_flags_are_counted_for_each_source_and_radius():
    flat = lambda x: jnp.zeros((len(x), 3)) + 0 * logits(x)  # noqa: E731
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = evaluated(Dataset(BLACK, Y), (0.0, 0.1), members=(gamma, logits, flat))
    assert found.flags.nonfinite.shape == (2, 4, 6)
    assert found.flags.nonfinite.all((0, 2)).tolist() == [True, False, False, True]
    assert found.flags.zero.all((0, 2)).tolist() == [False, False, True, False]
    assert np.all(np.isfinite(found.adversarial))
    lines = [str(each.message) for each in said]
    assert any("24 of 48 examples had gradients that are not finite" in line for line in lines)
    assert any("12 of 48 examples had a gradient of exactly 0" in line for line in lines)
    assert any("attacks.margin" in line for line in lines)
    assert all(each.filename == __file__ for each in said)


def test_a_softmax_in_the_model_is_told():
    with pytest.warns(UserWarning, match="logits that sum to 1, as a softmax's do"):
        evaluated(members=(lambda x: jax.nn.softmax(logits(x)),))
    with pytest.warns(UserWarning, match="give the logits before the softmax"):
        attacks.fgsm(0.1)(attacks.untargeted(lambda x: jax.nn.softmax(logits(x)), Y), X)


def test_a_sound_model_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluated()
        attacks.pgd(0.1, 0.01, 3, random_start=False)(attacks.untargeted(logits, Y), X)
    assert not any(np.any(each) for each in found.flags)


# Members ------------------------------------------------------------------------------------------

SMALL = models.fc(3, (5,) * 4)
PAIR = stacked(SMALL)


NECKS = pathways(models.dna(2, 2, (5, 4, 3, 4, 5)), models.fc(3, (5,) * 4))


@pytest.fixture(scope="module")
def variables():
    return jax.jit(PAIR.init)(KEY, X[:1])


@pytest.fixture(scope="module")
def of_necks():
    return jax.jit(NECKS.init)(KEY, X[:1])


@pytest.mark.parametrize("wrong", [(2,), (-1,), (), (0.5,), 0, "1", (0, 5), [[0]]], ids=str)
def test_members_that_are_none(wrong, variables, of_necks):
    both = mixed([stacked(SMALL, 1)] * 2)
    parts = tuple(jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], variables) for i in (0, 1))
    functions = callables([logits, logits])
    for ensemble, v in ((PAIR, variables), (both, parts), (functions, ())):
        refused(lambda e=ensemble, v=v: e.pick(v, wrong), "members")
        refused(
            lambda e=ensemble, v=v: craft(e, v, wrong, attacks.fgsm(0.1), Dataset(X, Y), KEY),
            "members",
        )
    refused(lambda: NECKS.pick(of_necks, wrong), "members")
    refused(lambda: PAIR.put(variables, wrong, variables), "members")
    refused(lambda: both.put(parts, wrong, parts), "members")


def test_one_member_s_variables(variables):
    for wrong in (2, -1, 0.5, "1", None):
        refused(lambda wrong=wrong: member(variables, wrong), "members")
    refused(lambda: stack([]), "0 members to stack")
    other = jax.jit(models.fc(4, (5,) * 4).init)(KEY, X[:1])
    refused(lambda: stack([member(variables, 0), other]), "2 members to stack")


@pytest.mark.parametrize("wrong", [2.0, True, "2", None])
def test_sizes_and_models_that_are_none(wrong):
    refused(lambda: stacked(SMALL, wrong), f"an ensemble of {wrong} members")
    refused(lambda: stacked(logits), "a function for a model", "models.from_linen")
    refused(lambda: mixed([]), "list of ensembles")
    refused(lambda: mixed([SMALL]), "list of ensembles")
    refused(lambda: callables(logits), "list")


def test_groups_of_different_classes_are_no_ensemble(variables):
    other = stacked(models.fc(4, (5,) * 4), 1)
    both = mixed([PAIR, other])
    v = (variables, jax.jit(other.init)(KEY, X[:1]))
    refused(lambda: jax.jit(both.apply)(v, X), "logits of shapes (2, 6, 3), (1, 6, 4)")


def test_chunks_of_what_there_is_not():
    refused(lambda: in_chunks(jnp.sin, 0, jnp.ones(3)), "chunk 0")
    refused(lambda: in_chunks(jnp.sin, 2, jnp.ones(0)), "at least 1")
    refused(lambda: in_chunks(jnp.add, 2, jnp.ones(3), jnp.ones(4)), "one length")


@pytest.mark.parametrize(
    "call",
    [
        lambda e, d: evaluate(lambda x: x, (), attacks.fgsm, [0.1], d, KEY),
        lambda e, d: evaluate(e, (), lambda: attacks.fgsm(0.1), [0.1], d, KEY),
        lambda e, d: evaluate(e, (), attacks.fgsm, np.array(["a", "b"]), d, KEY),
        lambda e, d: evaluate(e, (), attacks.fgsm, [[0.1], [0.1, 0.2]], d, KEY),
        lambda e, d: evaluate(e, (), attacks.fgsm, [0.1], d, KEY, examine="all"),
        lambda e, d: evaluate(e, (), attacks.fgsm, [0.1], d, KEY, examine=lambda outputs, x: 3),
        lambda e, d: evaluate(e, (), attacks.fgsm, [0.1], d, KEY, measure=lambda features: 3),
        lambda e, d: evaluate(e, (), attacks.fgsm, [0.1], d, KEY, chunk=np.ones((3, 3), complex)),
        lambda e, d: craft([abs], (), [0], attacks.fgsm(0.1), d, KEY),
        lambda e, d: craft(e, (), [0], attacks.fgsm(0.1), d, np.ones((3, 3), complex)),
        lambda e, d: in_chunks({}, 2, np.ones(3)),
        lambda e, d: in_chunks(abs, 2, object()),
        lambda e, d: in_chunks(abs, 2, 0.5),
    ],
    ids=range(13),
)
def test_what_is_no_function_array_or_ensemble(call):
    ensemble = callables([logits])
    given = Dataset(X, Y)
    with pytest.raises(UserError) as error:
        call(ensemble, given)
    assert_one_line(error)
