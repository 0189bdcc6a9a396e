"""The PyTorch training steps that the benchmarks race against are ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import pathways, stack, stacked
from jaxadv.losses import classify, correlation_loss, join, reconstruct
from jaxadv.models import cnn, dna, fc

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
from benchmarks import inputs  # noqa: E402
from benchmarks.reference_torch.training import autoencoder_loss, pair_loss  # noqa: E402

BATCH = 400  # more than the 200 features of the FC


@pytest.fixture
def batch(rng):
    images = np.float32(rng.uniform(size=(BATCH, 28, 28, 1)))
    return Dataset(images, rng.integers(0, 10, BATCH))


def differentiated(networks, loss, batch):
    """Value of the PyTorch loss, its networks' parameters replaced by their gradients."""
    networks.train()
    x = torch.tensor(batch.images.transpose(0, 3, 1, 2).copy())
    value = loss(x, torch.tensor(batch.labels))
    value.backward()
    for parameter in networks.parameters():
        parameter.data = parameter.grad
    return value.item()


def ours(ensemble, variables, batch, task, strength, part=None):
    """Value and gradients for the parameters, of `part` of the variables if given."""

    def loss(params):
        inner = {**(variables[part] if part else variables), "params": params}
        whole = {**variables, part: inner} if part else inner
        outputs, _ = ensemble.apply(whole, batch.images, train=True)
        penalty = strength * correlation_loss(*outputs.features, ridge=0.0) if strength else 0
        return join(task(outputs, batch)[0], "root_sum_square") + penalty

    params = (variables[part] if part else variables)["params"]
    return jax.jit(jax.value_and_grad(loss))(params)


def assert_close(actual, expected, tolerance):
    actual, expected = (
        np.concatenate([np.ravel(x) for x in jax.tree.leaves(t)]) for t in (actual, expected)
    )
    assert np.linalg.norm(actual - expected) < tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize(("architecture", "strength"), [("cnn", 0.0), ("fc", 0.0), ("fc", 0.05)])
def test_pairs(architecture, strength, batch):
    networks = torch.nn.ModuleList(inputs.network(architecture, n) for n in (1, 2))
    read = lambda: stack([inputs.variables_of(n, architecture) for n in networks])  # noqa: E731
    variables = jax.tree.map(jnp.copy, read())
    ensemble = stacked({"cnn": cnn, "fc": fc}[architecture](), 2)
    value, gradients = ours(ensemble, variables, batch, classify, strength)
    expected = differentiated(networks, pair_loss(networks, strength), batch)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert_close(gradients, read()["params"], 1e-3)


@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_dual_neck_autoencoder(strength, batch):
    network = inputs.network("dna")
    ensemble = pathways(dna(), cnn())
    variables = {
        **ensemble.init(jax.random.key(0), batch.images[:1]),
        "autoencoder": jax.tree.map(jnp.copy, inputs.variables_of(network, "dna")),
    }
    value, gradients = ours(ensemble, variables, batch, reconstruct, strength, "autoencoder")
    expected = differentiated(network, autoencoder_loss(network, strength), batch)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert_close(gradients, inputs.variables_of(network, "dna")["params"], 1e-3)
