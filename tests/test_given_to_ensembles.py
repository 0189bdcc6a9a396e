"""Variables, members and groups that are none: refused in a line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.ensemble import callables, member, mixed, predict, stack, stacked
from jaxadv.errors import UserError
from jaxadv.models import fc
from tests.data.fixtures import assert_one_line

X = np.zeros((2, 4, 4, 1), np.float32)
KEY = jax.random.key(0)
TRIO = stacked(fc(3, (5, 4), feature_block=1), 3)
OTHER = stacked(fc(3, (6,), feature_block=1), 2)
ZEROS = callables([lambda x: jnp.zeros((len(x), 3))])


@pytest.fixture(scope="module")
def variables():
    return jax.jit(TRIO.init)(KEY, X)


@pytest.mark.parametrize(
    "call",
    [
        lambda v: TRIO.pick(float("nan"), [0]),
        lambda v: TRIO.pick({}, [0]),
        lambda v: TRIO.pick(member(v, 0), [0]),
        lambda v: TRIO.pick(v, [[0], [1, 2]]),
        lambda v: TRIO.pick(v, jax.random.key(0)),
        lambda v: TRIO.apply(TRIO.pick(v, [0, 1])[1], X),
        lambda v: TRIO.put(v, [0, 1], "seven"),
        lambda v: TRIO.put(v, [0, 1], {"x": jnp.ones(2)}),
        lambda v: TRIO.put(v, [0, 1], TRIO.pick(v, [0])[1]),
        lambda v: TRIO.put(v, [0, 1], OTHER.init(KEY, X)),
        lambda v: member({}, 0),
        lambda v: member(0.5, 0),
        lambda v: member(v, [0]),
        lambda v: stack([None, None]),
        lambda v: stack(object()),
        lambda v: stack([member(v, 0), "two"]),
        lambda v: stack(np.ones((2, 3))),
        lambda v: mixed(object()),
        lambda v: mixed(ZEROS),
        lambda v: mixed({"a": ZEROS}),
        lambda v: mixed([ZEROS]).apply((), X),
        lambda v: mixed([ZEROS, ZEROS]).pick(((),), [1]),
        lambda v: callables(np.array(["f", "g"])),
        lambda v: callables({"f": lambda x: x}),
        lambda v: predict(callables([lambda x: jnp.ones((len(x), 3)) + 1j]), ())(X),
    ],
    ids=range(25),
)
def test_refused_in_one_line(call, variables):
    with pytest.raises(UserError) as error:
        call(variables)
    assert_one_line(error, "give")


def test_what_fits_is_put(variables):
    _, chosen = TRIO.pick(variables, [2, 1])
    put = TRIO.put(variables, [0, 1], chosen)
    for old, new in zip(jax.tree.leaves(variables), jax.tree.leaves(put), strict=True):
        np.testing.assert_array_equal(new, np.asarray(old)[[2, 1, 2]])
