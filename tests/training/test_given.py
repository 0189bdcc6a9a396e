"""Phases, states and functions that are none: refused in a line before anything is compiled."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import training
from jaxadv.data import Dataset
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line

DATA = Dataset(np.zeros((4, 2, 2, 1), np.float32), np.arange(4) % 2)


def made(key, x):
    return {"params": {"w": jnp.ones(3)}}


def loss(variables, batch, key, epoch, settings):
    return jnp.sum(variables["params"]["w"] ** 2), (variables, {})


PHASE = training.Phase(loss, optax.sgd(0.1))


def begun(phases=(PHASE,), **other):
    arguments = {"ensemble_init": made, "phases": phases, "dataset": DATA, "seeds": [0], **other}
    return training.init(**arguments)


def fitted(phases=(PHASE,), state=None, **other):
    state = begun(phases) if state is None else state
    return list(training.fit(phases, state, DATA, epochs=1, batch_size=2, **other))


@pytest.mark.parametrize(
    "call",
    [
        lambda: begun(object()),
        lambda: begun([PHASE._replace(loss="loss")]),
        lambda: begun([PHASE._replace(optimizer="sgd")]),
        lambda: begun([PHASE._replace(shares=3), PHASE]),
        lambda: begun([PHASE._replace(shares=0)]),
        lambda: begun([PHASE, PHASE._replace(shares="0")]),
        lambda: begun(ensemble_init=[1]),
        lambda: begun(seeds=[[0], [1, 2]]),
        lambda: begun(varied=[0.1]),
        lambda: begun(varied={"weight": ["a"]}),
        lambda: fitted(state=float("nan")),
        lambda: fitted(state=np.array(["a"])),
        lambda: fitted(monitor=3),
        lambda: fitted(monitor=lambda variables, batch: 3),
        lambda: fitted([PHASE._replace(loss=lambda *a: jnp.float32(0))]),
        lambda: fitted([PHASE._replace(loss=lambda v, *a: (jnp.ones(2), (v, {})))]),
    ],
    ids=range(16),
)
def test_refused_in_one_line(call):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error)


def test_turns_are_named():
    with pytest.raises(UserError) as error:
        fitted(turns=["batches"])
    assert_one_line(error, "turns", "choose one of batches, epochs")


def test_what_fits_is_trained():
    (state, metrics), *_ = fitted(monitor=lambda variables, batch: {"one": jnp.ones(())})
    np.testing.assert_allclose(state.variables["params"]["w"], np.full((1, 3), 0.64), rtol=1e-6)
    assert metrics["one"] == 1
