"""What readers give to attacks: taken right, or refused in one line with the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import attacks
from jaxadv.attacks import Attack, ascend, cw, fgm, fgsm, igs, l2, linf, margin, mi_fgsm, pgd
from jaxadv.attacks import untargeted as away
from jaxadv.errors import UserError
from tests.attacks.made import images, jitted, keys, labels, network
from tests.data.fixtures import assert_one_line

X, Y = images(6), labels(6)
FEW = {"steps": 5, "searches": 2}
EVERY = {
    "fgsm": lambda **bounds: fgsm(0.1, **bounds),
    "fgm": lambda **bounds: fgm(0.5, **bounds),
    "pgd": lambda **bounds: pgd(0.1, 0.05, 3, random_start=False, **bounds),
    "igs": lambda **bounds: igs(0.1, 3, **bounds),
    "mi_fgsm": lambda **bounds: mi_fgsm(0.1, 3, **bounds),
    "cw": lambda **bounds: cw(**FEW, **bounds),
}
every_attack = pytest.mark.parametrize("name", EVERY)


def refused(call, *words):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, *words)


# Images -----------------------------------------------------------------------------------------


@every_attack
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (255 * X, ["images from 0 to 255", "divide by 255", "bounds=(0, 255)"]),
        (2 * X - 1, ["images from -1 to 1", "bounds 0.0 to 1.0", "one pair a channel"]),
        (X + 1e-4, ["to 1.0001", "jnp.clip"]),
        (X - 1e-4, ["images from -0.0001", "jnp.clip"]),
        (np.where(X > 0.9, np.nan, X), ["finite"]),
        (np.where(X > 0.9, np.inf, X), ["finite"]),
        ((255 * X).astype(np.uint8), ["type uint8", "x / 255.0"]),
        ((255 * X).astype(np.int32), ["type int32"]),
        (X > 0.5, ["type bool"]),
        (X[:0], ["(0, 12, 12, 1)", "at least one"]),
        (X[0, 0, 0], ["shape (1,)", "x[None]"]),
        (X.astype(complex), ["type complex128"]),
        ("images", ["type <U6"]),
    ],
    ids=range(13),
)
def test_images_that_are_none_of_the_range(name, x, words):
    for given in (x, jnp.asarray(x)) if not isinstance(x, str) and x.dtype != complex else (x,):
        refused(lambda given=given: EVERY[name]()(away(network, Y), given), *words)


@every_attack
def test_under_jit_pixels_outside_the_bounds_stay_in_the_ball(name):
    """Nobody can refuse there; clipping would move a pixel of 200 by 199."""
    x = np.where(X > 0.5, 200 * X, X - 0.4 * (X < 0.1)).astype(np.float32)
    x_adv = jax.jit(lambda x: EVERY[name]()(away(network, Y), x))(x)
    if name == "cw":  # within the bounds, or as it came
        inside = (x_adv >= 0) & (x_adv <= 1)
        assert np.all(inside.all((1, 2, 3)) | (x_adv == x).all((1, 2, 3)))
        return
    attack = EVERY[name]()
    norms = [attack.ball.norm(d) for d in np.float64(x_adv) - np.float64(x)]
    assert np.max(norms) <= attack.eps * (1 + 1e-4) + 200 * 2e-7


def test_under_jit_no_eps_is_the_identity_outside_the_bounds_too():
    x = 255 * X
    run = jax.jit(lambda x: pgd(0.0, 0.1, 3)(away(network, Y), x, keys(np.arange(6))))
    np.testing.assert_array_equal(run(x), x)


def test_what_nobody_could_refuse_is_flagged():
    flags = jax.jit(lambda x: fgsm(0.1).flagged(away(network, Y), x)[1])(X.at[2].add(1.0))
    np.testing.assert_array_equal(flags.outside, np.arange(6) == 2)


X = jnp.asarray(X)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("name", ["fgsm", "fgm", "pgd", "igs", "mi_fgsm"])
def test_half_precision_keeps_the_ball_and_comes_back_as_float32(name, dtype):
    x = X.astype(dtype)
    x_adv = jitted(EVERY[name](), away(network, Y), x)
    assert x_adv.dtype == jnp.float32
    expected = jitted(EVERY[name](), away(network, Y), x.astype(jnp.float32))
    np.testing.assert_array_equal(x_adv, expected)


def test_float64_stays_what_it_is_and_radii_of_any_type_will_do():
    with jax.enable_x64(True):
        for kind in (jnp.float32, jnp.float64):
            x = jnp.asarray(X, kind)
            radii = [0.1, np.float64(0.1), np.float32(0.1), np.array(0.1), jnp.float64(0.1)]
            made = [
                jitted(pgd(r, r / 2, 3, random_start=False), away(network, Y), x) for r in radii
            ]
            assert all(each.dtype == kind for each in made)
            for each in made[1:]:
                np.testing.assert_allclose(each, made[0], atol=1e-7)
            for attack in (mi_fgsm(np.float64(0.1), 3), cw(np.float64(0.1), **FEW)):
                assert jitted(attack, away(network, Y), x).dtype == kind


# Bounds -----------------------------------------------------------------------------------------


@every_attack
@pytest.mark.parametrize(
    "bounds",
    [
        (1, 0),
        (0, 0),
        (float("nan"), 1),
        (0, float("inf")),
        None,
        5,
        (0, 1, 2),
        ("0", "one"),
        ([0, 1], [1, 1]),
    ],
    ids=str,
)
def test_bounds_that_are_none(name, bounds):
    refused(lambda: EVERY[name](bounds=bounds), f"bounds {bounds}", "give (low, high)")


def test_bounds_of_another_shape_than_the_images():
    three = ([0, 0, 0], [1, 1, 1])
    refused(lambda: fgsm(0.1, bounds=three)(away(network, Y), X), "(3,)", "(12, 12, 1)", "channel")


LOW, HIGH = np.array([-2.1, -2.0, -1.8]), np.array([2.2, 2.4, 2.6])


@every_attack
def test_normalised_images_have_bounds_of_their_own_in_every_channel(name):
    """The attack of [0, 1] images under a normalising model, in the model's own units."""
    rng = np.random.default_rng(1)
    unit = np.float32(rng.uniform(size=(5, 4, 4, 3)))
    x = np.float32(LOW + (HIGH - LOW) * unit)
    x = np.clip(x, np.float32(LOW), np.float32(HIGH))
    weights = np.float32(rng.normal(size=(48, 3)))
    steep = away(lambda x: x.reshape(len(x), -1) @ weights, np.arange(5) % 3)
    x_adv = jitted(EVERY[name](bounds=(LOW, HIGH)), steep, x)
    assert np.all((x_adv >= np.float32(LOW)) & (x_adv <= np.float32(HIGH)))
    if name != "cw":
        moved = np.abs(np.float64(x_adv) - np.float64(x))
        assert np.max(moved) > 0.05
        wide = jitted(EVERY[name](bounds=(-9.0, 9.0)), steep, x)
        expected = np.clip(wide, np.float32(LOW), np.float32(HIGH))
        if name in ("fgsm", "fgm"):
            np.testing.assert_allclose(x_adv, expected, atol=1e-6)


def test_channels_first_bounds_broadcast():
    x = np.zeros((2, 3, 4, 4), np.float32)
    bounds = LOW[:, None, None], HIGH[:, None, None]
    made = fgsm(3.0, bounds=bounds)(ascend(lambda x: x.sum((1, 2, 3))), x)
    np.testing.assert_allclose(made[0, :, 0, 0], HIGH, rtol=1e-6)


def test_attacks_of_array_bounds_are_static_and_compile_once():
    traces = []

    @jax.jit
    def run(attack, x):
        traces.append(attack)
        return attack(ascend(lambda x: x.sum((1, 2, 3))), x)

    for eps in (0.1, 0.2):
        run(fgsm(eps, bounds=(np.zeros(1), np.ones(1))), X)
    assert len(traces) == 1


# Radii, steps, balls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [-0.1, float("nan"), float("inf"), "0.1", [0.1], (0.1,), True, 1j, np.array(["a"])]
)
def test_radii_that_are_none(value):
    for make in (fgsm, fgm, igs, mi_fgsm, lambda eps: pgd(eps, 0.1), lambda s: pgd(0.1, s)):
        refused(lambda make=make: make(value), f" {value}:", "at least 0")


def test_one_radius_an_example_is_that_example_s():
    radii = np.float32([0.0, 0.05, 0.1, 0.2, 0.3, 0.0])
    for make in (fgsm, fgm, lambda e: pgd(e, e / 2, 3), lambda e: pgd(e, e / 2, 3, "l2")):
        run = jax.jit(lambda attack, x, y, keys: attack(away(network, y), x, keys))
        together = np.asarray(run(make(radii), X, Y, keys(np.arange(6))))
        for i in range(6):
            one = slice(i, i + 1)
            alone = run(make(radii[i]), np.asarray(X)[one], Y[one], keys([i]))
            np.testing.assert_allclose(together[one], alone, atol=1e-6)
    refused(lambda: fgsm(np.zeros(4))(away(network, Y), X), "eps of shape (4,)", "each of 6")
    refused(lambda: pgd(0.1, np.zeros((6, 1)))(away(network, Y), X), "step_size of shape (6, 1)")


@pytest.mark.parametrize("steps", [-1, 2.0, "3", None, True, 2**40, np.float32(3)])
def test_steps_that_are_none(steps):
    refused(lambda: pgd(0.1, 0.1, steps), f"steps {steps}", "whole number, 0 or more")
    refused(lambda: igs(0.1, steps), f"steps {steps}", "whole number, 1 or more")
    refused(lambda: cw(steps=steps), f"steps {steps}", "whole number, 1 or more")


def test_steps_of_numpy_s_will_do():
    np.testing.assert_array_equal(
        igs(0.1, np.int64(3))(away(network, Y), X), igs(0.1, 3)(away(network, Y), X)
    )


def test_a_ball_by_name_is_that_ball():
    assert pgd(0.1, 0.1, ball="l2") == pgd(0.1, 0.1, ball=l2)
    assert Attack(0.1, 0.1, ball="linf").ball is linf
    assert mi_fgsm(0.1, ball="l2").ball is igs(0.1, ball="l2").ball is l2
    for wrong in ("l1", 2, None, np.inf):
        refused(lambda wrong=wrong: pgd(0.1, 0.1, ball=wrong), f"ball {wrong!r}", "'l2', 'linf'")
    refused(lambda: cw(ball="linf"), "ball linf", "l2")


def test_a_transform_is_optax_s():
    refused(lambda: fgsm(0.1, transform=optax.trace), "transform", "optax.trace(1.0)")
    refused(lambda: fgsm(0.1, transform=None), "transform None")


# Directions, labels, keys -----------------------------------------------------------------------


def test_a_model_is_no_direction():
    refused(lambda: fgsm(0.1)(network, X), "attacks.untargeted(model, labels)")
    refused(lambda: fgsm(0.1)(network, X[:2]), "attacks.untargeted(model, labels)")
    refused(lambda: fgsm(0.1)(X, network), "for a direction", "attack(direction, x, keys)")
    refused(lambda: fgsm(0.1)(None, X), "NoneType for a direction")
    refused(lambda: away(X, Y), "where a function is wanted")


def test_a_direction_gives_the_shape_of_the_images():
    flat = lambda x: (jnp.zeros(len(x)), x.reshape(len(x), -1))  # noqa: E731
    refused(lambda: fgsm(0.1)(flat, X), "an ascent (6, 144)", "(6, 12, 12, 1)")
    whole = lambda x: (jnp.zeros(3), x)  # noqa: E731
    refused(lambda: fgsm(0.1)(whole, X), "values (3,)")


def test_carlini_and_wagner_s_attack_needs_a_margin():
    for direction in (ascend(lambda x: x.sum((1, 2, 3))), lambda x: (None, x), network):
        refused(lambda d=direction: cw(**FEW)(d, X), "needs a margin", "attacks.margin")


@pytest.mark.slow
@pytest.mark.parametrize("combine", [*attacks.COMBINATIONS])
@pytest.mark.parametrize("targeted", [False, True])
def test_carlini_and_wagner_s_attack_takes_the_margin_of_any_problem(combine, targeted):
    """Its images are those of the margin, of one member the same whatever is combined."""
    y = (np.asarray(network(X)).argmax(-1) + targeted) % 10
    alone = lambda x: network(x)[None]  # noqa: E731
    attack = cw(steps=60, searches=4, step_size=0.1, first_constant=10.0)
    problem = attacks.joint(alone, y, combine, targeted=targeted)
    made = jitted(attack, problem, X)
    won = np.asarray(network(made)).argmax(-1)
    assert np.mean(won == y if targeted else won != y) > 0.8
    if combine not in ("probabilities", "probabilities margin"):
        problem = attacks.joint(alone, y, "margin", targeted=targeted)
        expected = jitted(attack, problem, X)
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_targeted_carlini_and_wagner():
    targets = (np.asarray(network(X)).argmax(-1) + 3) % 10
    attack = cw(steps=60, searches=4, step_size=0.1, first_constant=10.0)
    made = jitted(attack, attacks.targeted(network, targets), X)
    assert np.mean(np.asarray(network(made)).argmax(-1) == targets) > 0.8


@pytest.mark.parametrize("aim", [away, attacks.targeted, margin])
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y[:, None], ["labels of shape (6, 1)", "labels[:, 0]"]),
        (np.eye(10, dtype=int)[Y], ["labels of shape (6, 10)", "labels.argmax(-1)"]),
        (Y + 1.0, ["labels of type float64", "whole numbers"]),
        (Y.astype(str), ["labels of type <U"]),
        (Y > 3, ["labels of type bool"]),
        (np.where(Y[0] == Y, 10, Y), ["to 10", "10 classes, 0 to 9"]),
        (np.where(Y[0] == Y, -1, Y), ["labels from -1"]),
        (Y[:5], ["labels of shape (5,)", "each of 6 images"]),
        (Y[0], ["labels of shape ()"]),
        (None, ["labels of type object"]),
        (Y.astype("timedelta64[s]"), ["labels of type timedelta64"]),
    ],
    ids=range(11),
)
def test_labels_that_are_none(aim, y, words):
    for attack in (fgsm(0.1), cw(**FEW)):
        refused(lambda attack=attack: attack(aim(network, y), X), *words)


def test_labels_of_any_whole_type_will_do():
    expected = fgsm(0.1)(away(network, Y), X)
    for kind in (np.uint8, np.int8, np.int64, jnp.int32):
        np.testing.assert_array_equal(fgsm(0.1)(away(network, Y.astype(kind)), X), expected)
    np.testing.assert_array_equal(fgsm(0.1)(away(network, list(map(int, Y))), X), expected)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda x: network(x)[:, :1], ["logits of shape (1, 6, 1)", "sigmoid"]),
        (lambda x: network(x)[:, 0], ["[B, classes]"]),
        (lambda x: (network(x), {}), ["returned a tuple"]),
        (lambda x: {"logits": network(x)}, ["returned a dict"]),
        (lambda x: None, ["returned a NoneType"]),
        (lambda x: jnp.stack([network(x)] * 2), ["attacks.joint"]),
        (lambda x: network(x).argmax(-1)[:, None], ["sigmoid"]),
    ],
    ids=range(7),
)
def test_models_that_return_no_logits(model, words):
    for attack in (fgsm(0.1), pgd(0.1, 0.1, 2, random_start=False), cw(**FEW)):
        refused(lambda attack=attack: attack(away(model, Y % 2 * 0), X), *words)


def test_members_that_are_one_network():
    refused(lambda: attacks.joint(network, Y)(X), "[M, B, classes]", "attacks.untargeted")


def test_one_sigmoid_logit_as_two_classes_is_attacked():
    one = lambda x: network(x)[:, :1]  # noqa: E731
    two = lambda x: jnp.concatenate([jnp.zeros((len(x), 1)), one(x)], -1)  # noqa: E731
    y = np.asarray(one(X)[:, 0] > 0).astype(int)
    made = fgsm(0.1)(away(two, y), X)
    assert np.all((one(made)[:, 0] - one(X)[:, 0]) * (1 - 2 * y) > 0)


@pytest.mark.parametrize(
    "wrong",
    [0, jax.random.PRNGKey(0), jax.random.key(0), keys(np.arange(5)), np.arange(6), "key"],
    ids=range(6),
)
def test_keys_that_are_none(wrong):
    refused(lambda: pgd(0.1, 0.1, 2)(away(network, Y), X, wrong), "example_keys(jax.random.key(0)")


def test_indices_of_keys_are_whole_numbers():
    for wrong in (3, np.zeros(2), np.zeros((2, 2), int)):
        refused(lambda wrong=wrong: attacks.example_keys(jax.random.key(0), wrong), "indices")
    refused(lambda: attacks.example_keys(0, np.arange(2)), "for a key", "jax.random.key(0)")


def test_features_to_resemble_have_one_shape():
    flat = lambda x: x.reshape(len(x), -1)  # noqa: E731
    refused(lambda: fgsm(0.1)(attacks.resembling(flat, np.zeros((6, 3))), X), "(6, 144)", "(6, 3)")
