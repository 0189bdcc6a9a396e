"""Directions, models' outputs and settings that are none: refused in a line where they enter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.attacks import (
    Attack,
    ascend,
    cw,
    example_keys,
    fgsm,
    joint,
    mi_fgsm,
    pgd,
    resembling,
)
from jaxadv.attacks import untargeted as away
from jaxadv.errors import UserError
from tests.attacks.made import images, labels, network
from tests.data.fixtures import assert_one_line

RAGGED = [[1.0], [2.0, 3.0]]
X, Y = images(3), labels(3)
WANTED = np.ones((3, 10), np.float32)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ascend("loss"),
        lambda: ascend(lambda x: None),
        lambda: ascend(lambda x: (jnp.sum(x), 1)),
        lambda: ascend(lambda x: jnp.sum(x + 1j)),
        lambda: resembling("f", WANTED),
        lambda: resembling(network, "cat"),
        lambda: resembling(network, None),
        lambda: resembling(lambda x: None, WANTED),
        lambda: lambda x: ("high", jnp.ones_like(x)),
        lambda: lambda x: (None, x + 1j),
        lambda: lambda x: (None, "up"),
        lambda: away(network, RAGGED),
        lambda: away(network, jax.random.key(0)),
        lambda: joint(lambda x: network(x)[None], Y, targeted="yes"),
        lambda: away(lambda x: np.full((3, 10), "a"), Y),
    ],
    ids=range(15),
)
def test_directions_that_are_none(make):
    with pytest.raises(UserError) as error:
        fgsm(0.1)(make(), X)
    assert_one_line(error, "give")


@pytest.mark.parametrize("combine", [np.array(["loss", "min"]), ["loss"], None], ids=range(3))
def test_combinations_that_are_none(combine):
    with pytest.raises(UserError) as error:
        joint(lambda x: network(x)[None], Y, combine)
    assert_one_line(error, "combine", "choose one of loss")


@pytest.mark.parametrize(
    "call",
    [
        lambda: fgsm(0.1)(away(network, Y), RAGGED),
        lambda: pgd(0.1, 0.1, random_start=None),
        lambda: Attack(0.1, 0.1, random_start="no"),
        lambda: fgsm(jax.random.key(0)),
        lambda: mi_fgsm(0.1, decay=None),
        lambda: mi_fgsm(0.1, decay=np.ones(2)),
        lambda: cw(step_size=np.full(3, 0.1), steps=1, searches=1)(away(network, Y), X),
        lambda: example_keys(jax.random.key(0), RAGGED),
    ],
    ids=range(8),
)
def test_settings_and_images_that_are_none(call):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error)


def test_attacks_of_several_learning_rates_may_be_mapped_over():
    """A pytree of attacks holds arrays where one attack has numbers."""
    both = jax.tree.map(
        lambda *each: jnp.stack(each), *(cw(step_size=jnp.float32(s)) for s in (0.1, 1.0))
    )
    assert both.step_size.shape == (2,)
