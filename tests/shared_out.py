"""Train five runs, attack them, and write what comes out: `python -m tests.shared_out FILE`.

With `fc` or `cnn` behind it, networks of the papers' sizes, of which XLA adds up long products in
parts.

A script, for the number of devices and processes is settled before jax starts.
"""

import os
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxadv import training
from jaxadv.attacks import fgsm
from jaxadv.data import Dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked
from jaxadv.evaluation import evaluate
from jaxadv.models import cnn, fc
from jaxadv.parallel import collected, hosted, leads, over_runs
from jaxadv.processes import join_processes

RUNS = 5  # which neither two devices share evenly nor eight
MODELS = {
    "small": partial(fc, 4, (24, 20, 16, 12, 8)),
    "fc": partial(fc, 4),
    "cnn": partial(cnn, 4),
}


def main() -> None:
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        join_processes()
    rng = np.random.default_rng(0)
    name = sys.argv[2] if len(sys.argv) > 2 else "small"
    count, batch_size = (128, 32) if name == "small" else (480, 240)
    images = rng.uniform(size=(count, 8, 8, 1)).astype(np.float32)
    data = Dataset(images, rng.integers(0, 4, count))
    ensemble = stacked(MODELS[name](), 2)
    # Not Adam, whose first steps turn a gradient's rounding into whole steps.
    phase = decorrelation(ensemble, optax.sgd(0.05))
    strengths = {"strength": [0.0, 0.05, 0.0, 0.05, 0.05]}
    start = training.init(ensemble.init, [phase], data, range(RUNS), strengths)
    for state, metrics in training.fit([phase], start, data, epochs=2, batch_size=batch_size):
        trained, measured = hosted(state), hosted(metrics)

    def attacked(variables, data):
        key, radii = jax.random.key(0), jnp.asarray([0.05, 0.1])
        return evaluate(ensemble, variables, fgsm, radii, data, key).adversarial

    adversarial = collected(jax.jit(over_runs(attacked))(trained.variables, data))
    if leads():
        leaves = [*jax.tree.leaves(trained.variables), *jax.tree.leaves(measured), adversarial]
        np.savez(sys.argv[1], *map(np.asarray, leaves))


if __name__ == "__main__":
    main()
