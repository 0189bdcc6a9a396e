"""Every defence's loss: its gradient by all weights is that of finite differences, in float64."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import defences, models
from jaxadv.data import Dataset
from jaxadv.defences import GOALS
from jaxadv.ensemble import Ensemble, frozen, mixed, stacked
from jaxadv.training import Phase

SGD = optax.sgd(0.1)
KEY = jax.random.key(0)


class Smooth(nn.Module):
    """Without kinks, which a finite difference would step over."""

    @nn.compact
    def __call__(self, x):
        hidden = jnp.tanh(nn.Dense(6, param_dtype=x.dtype)(x.reshape(len(x), -1)))
        return nn.Dense(3, param_dtype=x.dtype)(hidden)


NETWORK = models.from_linen(Smooth(), "Dense_0")
PAIR = stacked(NETWORK)
BESIDE = mixed([frozen(stacked(NETWORK, 1)), stacked(NETWORK, 1)])
BOTH_TERMS = GOALS["perpendicular"] | {"cosine": 0.3}


class Case(NamedTuple):
    """A phase, the settings of its run, the ensemble; `step` of two differences that cancel."""

    phase: Phase
    settings: dict[str, float]
    ensemble: Ensemble = PAIR
    step: float = 1e-5


def last(phases: list[Phase]) -> Phase:
    return phases[-1]


CASES = {
    "plain": Case(defences.regularised(PAIR, SGD, joined="root_sum_square"), {}),
    "decorrelation": Case(defences.decorrelation(PAIR, SGD), {"strength": 0.7}),
    "decorrelation both ways": Case(
        defences.decorrelation(PAIR, SGD, regress="both"), {"strength": 0.7}
    ),
    "decorrelation beside a surrogate": Case(
        defences.decorrelation(BESIDE, SGD), {"strength": 0.7}, BESIDE
    ),
    "distance": Case(defences.parametric_distance(PAIR, SGD), {"distance": 30.0}),
    "alignment": Case(last(defences.gradient_alignment(PAIR, SGD)), BOTH_TERMS),
    "alignment in one step": Case(
        last(defences.gradient_alignment(PAIR, SGD, updates="simultaneous")), BOTH_TERMS
    ),
    "magnitude": Case(last(defences.gradient_magnitude(PAIR, SGD)), {"gradient_norm": 0.7}),
    "gal": Case(defences.gal(PAIR, SGD), {"strength": 0.7}),
    "adp": Case(defences.adp(PAIR, SGD), {"strength": 0.7}, step=1e-7),
    "dverge": Case(last(defences.dverge(PAIR, SGD)), {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_gradient_of_a_phase_is_that_of_finite_differences(name):
    case, rng = CASES[name], np.random.default_rng(4)
    with jax.enable_x64(True):
        x = jnp.asarray(rng.uniform(size=(30, 4, 4, 1)))
        batch = Dataset(x, jnp.asarray(rng.integers(0, 3, 30)))
        variables = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64), jax.jit(case.ensemble.init)(KEY, x)
        )
        settings = {key: jnp.asarray(value) for key, value in case.settings.items()}

        @jax.jit
        def value(v):
            return case.phase.loss(v, batch, KEY, jnp.zeros(()), settings)[0]

        gradient = jax.jit(jax.grad(value))(variables)
        learns = jax.tree.map(lambda g: bool(np.any(g != 0)), gradient)
        away = jax.tree.map(
            lambda leaf, moves: moves * rng.normal(size=leaf.shape), variables, learns
        )
        along = jax.jit(lambda t: value(jax.tree.map(lambda v, a: v + t * a, variables, away)))
        expected = (along(case.step) - along(-case.step)) / (2 * case.step)
        slopes = jax.tree.map(lambda g, a: np.sum(g * a), gradient, away)
        np.testing.assert_allclose(sum(jax.tree.leaves(slopes)), expected, rtol=2e-6)
        assert any(jax.tree.leaves(learns))
