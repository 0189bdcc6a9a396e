"""The CNN and the FC against the same networks in PyTorch, with the same weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.losses import cross_entropy
from jaxadv.models import cnn, fc, load_torch_weights

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
from benchmarks.reference_torch.models import CNN, FC  # noqa: E402

MODELS = {"cnn": (CNN, cnn()), "fc": (FC, fc())}
BATCH = 90  # the CNN takes it in chunks
architectures = pytest.mark.parametrize("architecture", MODELS)


@pytest.fixture
def images(rng):
    return np.float32(rng.uniform(size=(BATCH, 28, 28, 1))), rng.integers(0, 10, BATCH)


def twins(architecture, folder):
    """The PyTorch network, our model, and its variables read from the other's state dict."""
    torch.manual_seed(0)
    network, model = MODELS[architecture][0](), MODELS[architecture][1]
    for name, buffer in network.named_buffers():  # running statistics worth the name
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    path = folder / "weights.pt"
    torch.save(network.state_dict(), path)
    return network, model, load_torch_weights(path, architecture)


def run_torch(network, x, y, train):
    """Logits, features, input gradient `[B, H, W, C]` and, by name, parameter gradients."""
    network.train(train)
    leaf = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    logits, features = network(leaf)
    torch.nn.functional.cross_entropy(logits, torch.tensor(y), reduction="sum").backward()
    for parameter in network.parameters():
        parameter.data = parameter.grad
    arrays = (logits.detach(), features.detach(), leaf.grad.permute(0, 2, 3, 1))
    return [a.numpy() for a in arrays]


def run_ours(model, variables, x, y, train):
    def loss(params, x):
        outputs, updated = model.apply({**variables, "params": params}, x, train=train)
        return cross_entropy(outputs.logits, y).sum(), (outputs, updated)

    grad = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (by_params, by_x), (outputs, updated) = grad(variables["params"], jnp.asarray(x))
    return [outputs.logits, outputs.taps["features"], by_x], by_params, updated


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.max(np.abs(expected)))


@architectures
@pytest.mark.parametrize("train", [False, True])
def test_outputs_and_gradients(architecture, train, images, tmp_path):
    network, model, variables = twins(architecture, tmp_path)
    actual, by_params, updated = run_ours(model, variables, *images, train)
    for ours, theirs in zip(actual, run_torch(network, *images, train), strict=True):
        assert_close(ours, theirs)

    # the network now holds its gradients in place of its parameters: the same reader serves
    torch.save(network.state_dict(), tmp_path / "gradients.pt")
    expected = load_torch_weights(tmp_path / "gradients.pt", architecture)
    jax.tree.map(assert_close, by_params, expected["params"])

    if train and architecture == "fc":
        assert_statistics(variables, updated, expected)


def assert_statistics(before, ours, theirs):
    """Means agree; our running variance takes the batch's biased one, PyTorch's the unbiased."""
    old, new, theirs = (v["batch_stats"] for v in (before, ours, theirs))
    assert len(new) == 5
    for block, statistics in new.items():
        assert_close(statistics["mean"], theirs[block]["mean"])
        biased = statistics["var"] - 0.9 * old[block]["var"]
        unbiased = theirs[block]["var"] - 0.9 * old[block]["var"]
        np.testing.assert_allclose(biased * BATCH / (BATCH - 1), unbiased, atol=2e-6)
        assert np.all(np.abs(biased - unbiased) <= unbiased / BATCH + 2e-6)
