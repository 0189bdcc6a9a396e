"""A pair small enough to train in a moment."""

import jax
import optax

from jaxadv import models, training
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked

ENSEMBLE = stacked(models.fc(widths=(32, 24, 16), feature_block=2))


def phase(**settings):
    return decorrelation(ENSEMBLE, optax.adam(5e-3), **settings)


def trained(digits, seeds, strengths, epochs=2, state=None, phases=None):
    phases = phases or [phase()]
    if state is None:
        state = training.init(ENSEMBLE.init, phases, digits, seeds, {"strength": strengths})
    *_, last = training.fit(phases, state, digits, epochs=epochs, batch_size=100)
    return last


def run_of(state, number):
    return jax.tree.map(lambda leaf: leaf[number], state)
