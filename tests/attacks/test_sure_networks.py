"""Networks that are sure of their images are attacked as well as others: nothing rounds to 0.

In float32 `softmax − 1` is 0 where the true class leads by 17 or more. A step of fixed length asks
for the gradient's direction alone, which no scale of the logits may change.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks, models
from jaxadv.attacks import COMBINATIONS, Attack, fgm, fgsm, igs, joint, l2, mi_fgsm, pgd
from jaxadv.data import Dataset
from jaxadv.ensemble import callables, pathways
from jaxadv.evaluation import craft, evaluate
from jaxadv.losses import cross_entropy, log_odds, margins
from jaxadv.losses.classification import log_cross_entropy
from jaxadv.losses.gradients import cosines, input_gradients
from tests.attacks.made import SIDE, keys, linear

RNG = np.random.default_rng(2)
HIDDEN = np.float32(RNG.normal(size=(SIDE**2, 32)) / SIDE)
LAST = np.float32(RNG.normal(size=(2, 32, 3)))
X = np.float32(RNG.uniform(0.2, 0.8, size=(8, SIDE, SIDE, 1)))
Y = np.argmax(np.tanh(X.reshape(8, -1) @ HIDDEN) @ LAST.sum(0), -1)
SCALES = [30.0, 1e3, 1e6]  # leads of 17, of 88, and far beyond
ATTACKS = {
    "fgsm": fgsm(0.05),
    "fgm": fgm(0.5),
    "pgd": pgd(0.05, 0.01, 5, random_start=False),
    "pgd l2": pgd(0.5, 0.1, 5, l2, random_start=False),
    "igs": igs(0.05, 5),
    "mi_fgsm": mi_fgsm(0.05, 5),
}


def network(x, scale=1.0, member=0):
    return scale * (jnp.tanh(linear(HIDDEN)(x)) @ LAST[member])


def members(x, scale=1.0):
    return jnp.stack([network(x, scale, 0), network(x, scale, 1)])


def unit(ascent):
    """`[B, D]`, each of length 1."""
    flat = np.asarray(ascent, np.float64).reshape(len(ascent), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


@partial(jax.jit, static_argnames="aim")
def ascent_of_one(aim, x, scale):
    return aim(lambda x: network(x, scale), Y)(x)[1]


@partial(jax.jit, static_argnames="combine")
def ascent_of_both(combine, x, scale):
    return joint(lambda x: members(x, scale), Y, combine)(x)[1]


@jax.jit
def slope_of_log_odds(x, scale):
    return jax.grad(lambda x: jnp.sum(log_odds(network(x, scale), Y)))(x)


def log_p(z):
    return jnp.sum(jax.nn.log_softmax(z) * np.eye(3, dtype=np.float32)[Y], -1)


LOSSES = {
    "loss": lambda z: jnp.mean(-log_p(z), 0),
    "squares": lambda z: jnp.mean(log_p(z) ** 2, 0),
    "min": lambda z: jnp.min(-log_p(z), 0),
    "margin": lambda z: jnp.min(margins(z, Y), 0),
    "logits": lambda z: -log_p(z.mean(0)),
    "logits margin": lambda z: margins(z.mean(0), Y),
    "probabilities": lambda z: -jnp.log(jnp.mean(jnp.exp(log_p(z)), 0)),
    "probabilities margin": lambda z: margins(jnp.log(jax.nn.softmax(z).mean(0)), Y),
}


@partial(jax.jit, static_argnames="combine")
def slope_of_loss(combine, x, scale):
    return jax.grad(lambda x: jnp.sum(LOSSES[combine](members(x, scale))))(x)


def exact(slope, *arguments):
    """The direction `[B, D]` of `slope(…, x, scale)`, in float64."""
    *first, scale = arguments
    with jax.enable_x64(True):
        return unit(slope(*first, jnp.asarray(X, jnp.float64), scale))


@jax.jit
def leads_of(x, scale):
    return log_odds(members(x, scale), Y)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("aim", [attacks.untargeted, attacks.targeted, attacks.margin])
def test_with_two_classes_no_scale_of_the_logits_changes_an_attack(name, aim):
    """The log odds of two classes are the logits' difference: `[0, s]`, however large s is."""
    y = Y % 2

    @jax.jit
    def run(x, scale, keys):
        return ATTACKS[name](aim(lambda x: scale * network(x)[:, :2], y), x, keys)

    made = lambda scale: run(X, scale, keys(np.arange(8)))  # noqa: E731
    expected = made(1.0)
    assert np.max(np.abs(expected - X)) > 0.04
    for scale in SCALES:
        np.testing.assert_allclose(made(scale), expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("targeted", [False, True])
def test_one_network_has_the_direction_of_its_loss_at_any_scale(scale, targeted):
    aim = attacks.targeted if targeted else attacks.untargeted
    ascent = unit(ascent_of_one(aim, X, scale))
    expected = exact(slope_of_log_odds, scale)
    sign = 1 if targeted else -1
    np.testing.assert_allclose(ascent, sign * expected, atol=2e-4)


@pytest.mark.parametrize("combine", COMBINATIONS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 100.0])
def test_members_that_are_sure_keep_the_direction_of_their_joint_loss(combine, scale):
    """Against the formula of each loss in float64, which does not round to 0 as far as this."""
    found = ascent_of_both(combine, X, scale)
    assert np.all(np.isfinite(found))
    # where float64 itself is exact to the digits compared
    if combine != "gradients" and leads_of(X, scale).max() < 30:
        expected = exact(slope_of_loss, combine, scale)
        np.testing.assert_allclose(unit(found), expected, atol=1e-3)
    if combine != "probabilities margin":  # flat where sure members contradict each other
        assert np.all(np.linalg.norm(unit(found), axis=1) > 0.99)


def test_the_logarithm_of_the_cross_entropy_is_exact_at_both_ends():
    leads = np.array([-200.0, -20.0, -1.0, 0.0, 3.0, 14.9, 15.1, 30.0, 600.0])
    logits = jnp.asarray(np.stack([leads, np.zeros(9)], -1), jnp.float32)
    expected = np.log(np.log1p(np.exp(-np.minimum(leads, 300.0))))
    expected[leads > 300] = -600.0
    zeros = np.zeros(9, int)
    found = jax.jit(log_cross_entropy)(logits, zeros)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
    slope = jax.jit(jax.grad(lambda z: log_cross_entropy(z, zeros).sum()))(logits)[:, 0]
    p = 1 / (1 + np.exp(np.minimum(leads, 300.0)))
    exact = np.where(leads > 300, -1.0, -p / np.log1p(np.exp(-np.minimum(leads, 300.0))))
    np.testing.assert_allclose(slope, exact, rtol=1e-5)


def test_the_cross_entropy_itself_is_what_vanishes():
    """So that this file would fail if attacks went back to it."""
    gradient = jax.jit(jax.grad(lambda x: cross_entropy(network(x, 1e3), Y).sum()))(X)
    assert np.any(np.all(np.asarray(gradient) == 0, axis=(1, 2, 3)))


@pytest.mark.parametrize("combine", ["loss", "squares", "min", "logits", "probabilities"])
def test_crafting_and_evaluating_sure_networks_moves_every_image(combine):
    """Of two classes, so that the logits' scale leaves the images as they are."""
    pair = [lambda x, m=m: 1e4 * network(x, 1.0, m)[:, :2] for m in (0, 1)]
    both, key = callables(pair), jax.random.key(0)

    @jax.jit
    def run(data):
        made = craft(both, (), (0, 1), fgsm(0.05), data, key, combine=combine)
        return made, evaluate(both, (), fgsm, [0.05], data, key, combine=combine)

    made, found = run(Dataset(X, Y % 2))
    assert np.all(np.max(np.abs(made - X), axis=(1, 2, 3)) > 0.04)
    np.testing.assert_allclose(found.norms, 0.05, rtol=1e-5)
    assert not np.any(found.flags.zero)


@pytest.mark.slow
def test_pathways_that_are_sure_are_attacked_jointly():
    """The classifier's last layer a thousand times as steep: the DNA's joint attack still moves."""
    both = pathways(models.dna(2, 2, (9, 8, 7, 8, 9)), models.dna_classifier(3))
    variables = jax.jit(both.init)(jax.random.key(0), X[:1])
    steep = jax.tree.map(lambda leaf: 1e4 * leaf, variables["classifier"]["params"]["linear"])
    params = {**variables["classifier"]["params"], "linear": steep}
    variables = {**variables, "classifier": {"params": params}}
    labels = jax.jit(both.apply)(variables, X)[0].logits.sum(0).argmax(-1)

    @partial(jax.jit, static_argnames="combine")
    def run(variables, data, combine):
        key = jax.random.key(0)
        return craft(both, variables, (0, 1), fgsm(0.05), data, key, combine=combine)

    for combine in ("loss", "squares", "min"):
        made = run(variables, Dataset(X, np.asarray(labels)), combine)
        moved = np.max(np.abs(made - X), axis=(1, 2, 3))
        assert np.all(moved > 0.04), combine


def test_gradients_too_small_to_square_still_have_an_angle():
    gradients = jnp.asarray([[[3e-23, 4e-23]], [[1.0, 0.0]]])
    np.testing.assert_allclose(cosines(gradients), [[0.6]], rtol=1e-6)
    steep = callables([lambda x: 1e-22 * network(x, 1.0, 0), lambda x: network(x, 1.0, 0)])
    _, found = jax.jit(lambda x: input_gradients(steep, (), x, Y))(X)
    lengths = np.linalg.norm(np.asarray(found, np.float64), axis=-1)
    assert np.all(lengths > 0)
    assert np.all(np.isfinite(jax.jit(cosines)(found)))


def test_dverge_moves_images_whose_features_are_far_off():
    """Squared errors of 1e30 do not overflow into steps that stand still."""
    far = attacks.resembling(lambda x: 1e12 * x.reshape(len(x), -1), np.ones((8, SIDE**2)))
    made = jax.jit(lambda x: Attack(0.05, 0.05)(far, x))(X)
    np.testing.assert_allclose(np.abs(made - X), 0.05, atol=1e-6)
