from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.attacks import COMBINATIONS, ascend, joint, targeted, untargeted
from jaxadv.errors import UserError
from tests.attacks.made import images, linear, network
from tests.data.fixtures import assert_one_line

RNG = np.random.default_rng(3)
WEIGHTS = np.float32(RNG.normal(size=(2, 9, 3)))  # two linear members, three classes
X = np.float32(RNG.uniform(size=(4, 3, 3, 1)))
Y = np.array([0, 2, 1, 1])


def ascent_of(problem, x):
    """A direction's value and ascent, in one program."""
    return jax.jit(lambda x: problem(x))(x)


@partial(jax.jit, static_argnames="combine")
def ascent_of_members(combine, x, y):
    return joint(members, y, combine)(x)[1]


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


def odds_of(loss, gradient):
    """Minus the log odds `log(exp(CE) − 1)`, and its gradient, from a cross-entropy's."""
    return np.log(np.expm1(loss)), gradient / -np.expm1(-loss)[..., None]


def expected(combine, sign=1):
    """Value and gradient; with sign −1 towards the labels."""
    z = X.reshape(4, 9) @ WEIGHTS.astype(float)
    made = [by_hand(*pair, Y) for pair in zip(WEIGHTS, z, strict=True)]
    leads = [margin_by_hand(*pair, Y) for pair in zip(WEIGHTS, z, strict=True)]
    losses, gradients = map(np.array, zip(*made, strict=True))
    if combine in ("min", "margin"):  # of what is raised, the least
        values, slopes = odds_of(losses, gradients)
        if combine == "margin":
            values, slopes = map(np.array, zip(*leads, strict=True))
        return least(sign * values, sign * slopes)
    if "margin" in combine:
        return tuple(sign * each for each in joined_margin(combine, z))
    value, gradient = mean_kind(combine, z, losses, gradients)
    return sign * value, sign * gradient


def least(values, slopes):
    return np.min(values, 0), slopes[np.argmin(values, 0), np.arange(4)]


def joined_margin(combine, z):
    """Of the mean logits, and of the logarithms of the mean probabilities."""
    if combine == "logits margin":
        return margin_by_hand(WEIGHTS.mean(0).astype(float), z.mean(0), Y)
    rows, p = np.arange(4), softmax(z)
    mean = p.mean(0)
    best = np.where(np.eye(3, dtype=bool)[Y], -np.inf, mean).argmax(-1)

    def slope(k):  # of log mean_m p_k, by x
        each = [p[m][rows, k, None] * (w[:, k].T - p[m] @ w.T) for m, w in enumerate(WEIGHTS)]
        return np.sum(each, 0) / p[:, rows, k].sum(0)[:, None]

    return np.log(mean[rows, best] / mean[rows, Y]), slope(best) - slope(Y)


def mean_kind(combine, z, losses, gradients):
    if combine in ("loss", "squares"):  # the logarithm of the mean
        power = {"loss": 1, "squares": 2}[combine]
        mean = np.mean(losses**power, 0)
        slope = np.mean(power * losses[..., None] ** (power - 1) * gradients, 0)
        return np.log(mean), slope / mean[:, None]
    if combine == "logits":
        return odds_of(*by_hand(WEIGHTS.mean(0), z.mean(0), Y))
    if combine == "gradients":
        lengths = np.linalg.norm(gradients, axis=-1, keepdims=True)
        return np.sum(odds_of(losses, gradients)[0], 0), np.sum(gradients / lengths, 0)
    true = softmax(z)[:, np.arange(4), Y]  # -d log mean p = the members' gradients weighted by p
    weighted = np.sum(true[..., None] * gradients, 0) / np.sum(true, 0)[:, None]
    each = true * (1 - true)  # the ascent is ∇P divided by the mean of p (1 − p)
    scale = (true.mean(0) * (1 - true.mean(0)) / each.mean(0))[:, None]
    value, slope = odds_of(-np.log(true.mean(0)), weighted)
    return value, slope * scale


@every_combination
@pytest.mark.parametrize("sign", [1, -1], ids=["untargeted", "targeted"])
def test_two_linear_members_by_hand(combine, sign):
    value, ascent = ascent_of(joint(members, Y, combine, targeted=sign < 0), X)
    for actual, wanted in zip((value, ascent.reshape(4, 9)), expected(combine, sign), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("combine", [name for name in COMBINATIONS if "margin" not in name])
@pytest.mark.parametrize("aim", [untargeted, targeted])
def test_one_member_is_its_plain_direction(combine, aim):
    x, y = images(4), np.array([0, 3, 5, 9])
    one = joint(lambda x: network(x)[None], y, combine, targeted=aim is targeted)
    value, plain = ascent_of(aim(network, y), x)
    alone, ascent = ascent_of(one, x)
    sign = 1 if aim is untargeted else -1
    power = {"loss": 1, "squares": 2}.get(combine)
    expected = sign * power * np.log(np.logaddexp(sign * value, 0)) if power else value
    np.testing.assert_allclose(alone, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(unit(ascent), unit(plain), atol=1e-5)


def unit(ascent):
    """`[B, D]`, each of length 1."""
    flat = np.asarray(ascent, np.float64).reshape(len(ascent), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_unit_gradients_give_every_member_one_vote():
    """One member's gradient a thousand times longer drowns the other in the sum of losses only."""
    first, second = (g / np.linalg.norm(g, axis=1, keepdims=True) for g in slopes())

    def steep(x):  # the second's loss stays near uniform, where a scale is a scale
        return members(x, (1e-5, 1e-2))

    def cosine(combine, unit):
        ascent = np.asarray(ascent_of(joint(steep, Y, combine), X)[1]).reshape(4, 9)
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
    _, ascent = ascent_of(joint(both, Y, "gradients"), x)
    lengths = np.linalg.norm(ascent.reshape(4, -1), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@every_combination
def test_no_example_feels_another(combine):
    together = np.asarray(ascent_of_members(combine, X, Y))
    for i in range(4):
        alone = np.asarray(ascent_of_members(combine, X[i : i + 1], Y[i : i + 1]))
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-5, atol=1e-6)


def test_ascend_gives_values_and_summed_gradients():
    value, gradient = jax.jit(ascend(lambda x: jnp.sum(x**2, axis=(1, 2, 3))))(X)
    np.testing.assert_allclose(value, np.sum(X**2, axis=(1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(gradient, 2 * X, rtol=1e-6)


def test_an_unknown_combination_names_the_choices():
    with pytest.raises(UserError) as error:
        joint(members, Y, "votes")
    assert_one_line(error, "votes", *COMBINATIONS)
