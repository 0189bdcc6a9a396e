import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.attacks import COMBINATIONS, ascend, ensemble, targeted, untargeted
from jaxadv.errors import UserError
from tests.attacks.made import images, linear, network
from tests.data.fixtures import assert_one_line

RNG = np.random.default_rng(3)
WEIGHTS = np.float32(RNG.normal(size=(2, 9, 3)))  # two linear members, three classes
X = np.float32(RNG.uniform(size=(4, 3, 3, 1)))
Y = np.array([0, 2, 1, 1])
every_combination = pytest.mark.parametrize("combine", COMBINATIONS)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(-1, keepdims=True)


def members(x, scale=(1.0, 1.0)):
    return jnp.stack([s * linear(w)(x) for s, w in zip(scale, WEIGHTS, strict=True)])


def by_hand(weights, logits, y):
    """Loss `[B]` and its gradient `[B, 9]` of one linear member."""
    probabilities = softmax(logits)
    return -np.log(probabilities[np.arange(4), y]), (probabilities - np.eye(3)[y]) @ weights.T


def margin_by_hand(weights, logits, y):
    """By how much the best other class leads `[B]`, and its gradient `[B, 9]`."""
    rows = np.arange(4)
    best = np.where(np.eye(3, dtype=bool)[y], -np.inf, logits).argmax(-1)
    return logits[rows, best] - logits[rows, y], (weights[:, best] - weights[:, y]).T


def expected(combine, sign=1):
    """Value and gradient; with sign −1 towards the labels."""
    z = X.reshape(4, 9) @ WEIGHTS.astype(float)
    losses, gradients = zip(
        *(by_hand(*pair, Y) for pair in zip(WEIGHTS, z, strict=True)), strict=True
    )
    if combine == "margin":
        made = [margin_by_hand(*pair, Y) for pair in zip(WEIGHTS, z, strict=True)]
        losses, gradients = zip(*made, strict=True)
    if combine in ("min", "margin"):  # of what is raised, the least
        values, raised = sign * np.array(losses), sign * np.array(gradients)
        return np.min(values, 0), raised[np.argmin(values, 0), np.arange(4)]
    value, gradient = mean_kind(combine, z, np.array(losses), np.array(gradients))
    return sign * value, sign * gradient


def mean_kind(combine, z, losses, gradients):
    if combine == "loss":
        return np.mean(losses, 0), np.mean(gradients, 0)
    if combine == "squares":
        return np.mean(np.square(losses), 0), np.mean(2 * losses[..., None] * gradients, 0)
    if combine == "logits":
        return by_hand(WEIGHTS.mean(0), z.mean(0), Y)
    if combine == "gradients":
        lengths = np.linalg.norm(gradients, axis=-1, keepdims=True)
        return np.sum(losses, 0), np.sum(gradients / lengths, 0)
    true = softmax(z)[:, np.arange(4), Y]  # -d log mean p = the members' gradients weighted by p
    weighted = np.sum(true[..., None] * gradients, 0) / np.sum(true, 0)[:, None]
    return -np.log(true.mean(0)), weighted


@every_combination
@pytest.mark.parametrize("sign", [1, -1], ids=["untargeted", "targeted"])
def test_two_linear_members_by_hand(combine, sign):
    value, ascent = ensemble(members, Y, combine, targeted=sign < 0)(X)
    for actual, wanted in zip((value, ascent.reshape(4, 9)), expected(combine, sign), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("combine", [name for name in COMBINATIONS if name != "margin"])
@pytest.mark.parametrize("aim", [untargeted, targeted])
def test_one_member_is_its_plain_direction(combine, aim):
    x, y = images(4), np.array([0, 3, 5, 9])
    value, plain = aim(network, y)(x)
    alone, ascent = ensemble(lambda x: network(x)[None], y, combine, targeted=aim is targeted)(x)
    expected = np.sign(value) * value**2 if combine == "squares" else value
    np.testing.assert_allclose(alone, expected, rtol=1e-5)
    a, b = ascent.reshape(4, -1), plain.reshape(4, -1)
    np.testing.assert_allclose(
        a / jnp.linalg.norm(a, axis=1, keepdims=True),
        b / jnp.linalg.norm(b, axis=1, keepdims=True),
        atol=1e-5,
    )


def test_unit_gradients_give_every_member_one_vote():
    """One member's gradient a thousand times longer drowns the other in the sum of losses only."""
    first, second = (g / np.linalg.norm(g, axis=1, keepdims=True) for g in slopes())

    def steep(x):  # the second's loss stays near uniform, where a scale is a scale
        return members(x, (1e-5, 1e-2))

    def cosine(combine, unit):
        ascent = np.asarray(ensemble(steep, Y, combine)(X)[1]).reshape(4, 9)
        return np.sum(ascent * unit, 1) / np.linalg.norm(ascent, axis=1)

    np.testing.assert_allclose(cosine("loss", second), 1, atol=0.02)
    half = np.sqrt((1 + np.sum(first * second, 1)) / 2)
    np.testing.assert_allclose(cosine("gradients", first), half, atol=0.03)
    np.testing.assert_allclose(cosine("gradients", second), half, atol=0.03)


def slopes():
    """Loss gradients `[B, 9]` of both members where their logits are all but equal."""
    return [(np.full((4, 3), 1 / 3) - np.eye(3)[Y]) @ w.T for w in WEIGHTS]


def test_a_member_without_gradient_casts_no_vote():
    x = jnp.asarray(X)
    both = lambda x: jnp.stack([linear(WEIGHTS[0])(x), jnp.zeros((4, 3))])  # noqa: E731
    _, ascent = ensemble(both, Y, "gradients")(x)
    lengths = jnp.linalg.norm(ascent.reshape(4, -1), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@every_combination
def test_no_example_feels_another(combine):
    _, together = ensemble(members, Y, combine)(X)
    for i in range(4):
        _, alone = ensemble(members, Y[i : i + 1], combine)(X[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5, atol=1e-6)


def test_ascend_gives_values_and_summed_gradients():
    value, gradient = jax.jit(ascend(lambda x: jnp.sum(x**2, axis=(1, 2, 3))))(X)
    np.testing.assert_allclose(value, np.sum(X**2, axis=(1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(gradient, 2 * X, rtol=1e-6)


def test_an_unknown_combination_names_the_choices():
    with pytest.raises(UserError) as error:
        ensemble(members, Y, "votes")
    assert_one_line(error, "votes", *COMBINATIONS)
