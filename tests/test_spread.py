"""A device a core: what is shared among them is what one device computes, to the bit."""

import os
import subprocess
import sys

import pytest

from tests.data.fixtures import REPOSITORY

SHARED = """
import jax, numpy as np
from jaxadv import attacks, models
from jaxadv.compilation import jit
from jaxadv.data import Dataset, load_dataset
from jaxadv.ensemble import stacked
from jaxadv.evaluation import evaluate
from jaxadv.parallel import use_cores

assert use_cores(2)
assert jax.local_device_count() == 2
assert not use_cores(3)  # jax has begun
test = load_dataset("digits").test
data = Dataset(test.images[:48], test.labels[:48])
ensemble = stacked(models.cnn())
variables = ensemble.init(jax.random.key(0), data.images[:1] / 255.0)
pgd = lambda eps: attacks.pgd(eps, 0.03, 3)
key, eps = jax.random.key(1), [0.05, 0.1, 0.2]
alone, shared = (
    jit(lambda v, s=s: evaluate(ensemble, v, pgd, eps, data, key, spread=s, keep=48))(variables)
    for s in (False, True)
)
assert len(shared.adversarial.sharding.device_set) == 2
for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(shared), strict=True):
    np.testing.assert_array_equal(a, b)
"""


def child(code: str, **variables: str) -> str:
    """What a fresh interpreter prints."""
    environment = {"JAX_PLATFORMS": "cpu", "PJRT_NPROC": "2", **variables}
    command = [sys.executable, "-c", code]
    options = {"capture_output": True, "text": True, "timeout": 300, "cwd": REPOSITORY}
    done = subprocess.run(command, env={**os.environ, **environment}, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_radii_shared_by_devices_are_those_of_one():
    child(SHARED)


COUNTED = (
    "from jaxadv.parallel import use_cores; could = use_cores(); import jax; "
    "print(could, jax.local_device_count())"
)


def test_cores_become_devices_unless_it_was_said_how_many_there_are():
    assert child(COUNTED).split() == ["True", "2"]
    flags = "--xla_force_host_platform_device_count=3"
    assert child(COUNTED, XLA_FLAGS=flags).split() == ["False", "3"]
    assert child(COUNTED, JAX_NUM_CPU_DEVICES="1").split() == ["False", "1"]
