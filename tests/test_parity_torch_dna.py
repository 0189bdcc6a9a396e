"""The autoencoders and their classifiers against the same networks in PyTorch, by their weights."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.models import (
    dna,
    dna_classifier,
    load_torch_weights,
    residual_classifier,
    residual_dna,
)

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
from benchmarks.reference_torch.dna import DNA, Classifier  # noqa: E402
from benchmarks.reference_torch.residual import ResidualClassifier, ResidualDNA  # noqa: E402

AUTOENCODERS = {
    "dna": (DNA, dna().model, (28, 28, 1)),
    "residual_dna": (ResidualDNA, residual_dna().model, (16, 16, 3)),
    "residual_ae": (lambda: ResidualDNA(("bn",)), residual_dna(1).model, (16, 16, 3)),
}
CLASSIFIERS = {
    "dna_classifier": (Classifier, dna_classifier(), (28, 28, 1)),
    "residual_classifier": (
        lambda: ResidualClassifier(16),
        residual_classifier(),
        (16, 16, 3),
    ),
}


def twins(architecture, make, folder):
    torch.manual_seed(0)
    network = make()
    for name, buffer in network.named_buffers():  # running statistics worth the name
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), folder / "weights.pt")
    return network, load_torch_weights(folder / "weights.pt", architecture)


def channels_first(x):
    return torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)


def assert_close(actual, expected, tolerance=2e-4):
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, atol=tolerance * np.max(np.abs(expected)))


def of_leaf(tensor):
    return tensor.detach().permute(0, 2, 3, 1).numpy()


def assert_parameters(network, folder, architecture, by_params):
    """The network's gradients, put in place of its parameters, through the same reader."""
    for parameter in network.parameters():
        parameter.data = parameter.grad
    torch.save(network.state_dict(), folder / "gradients.pt")
    expected = load_torch_weights(folder / "gradients.pt", architecture)
    largest = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(expected["params"]))

    def close(ours, theirs):  # a bias before a BatchNorm has no gradient but rounding
        np.testing.assert_allclose(ours, theirs, atol=5e-4 * largest)

    jax.tree.map(close, by_params, expected["params"])
    return expected


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("architecture", AUTOENCODERS)
def test_autoencoders(architecture, train, rng, tmp_path):
    make, model, shape = AUTOENCODERS[architecture]
    network, variables = twins(architecture, make, tmp_path)
    x = np.float32(rng.uniform(size=(6, *shape)))

    def loss(params, x):
        outputs, updated = model.apply({**variables, "params": params}, x, train=train)
        made, features = outputs.reconstruction, outputs.taps["features"]
        return jnp.sum(made**2) + jnp.sum(jnp.cos(features)), (made, features, updated)

    grad = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (by_params, by_x), (made, features, updated) = grad(variables["params"], jnp.asarray(x))

    network.train(train)
    leaf = channels_first(x)
    theirs = network(leaf)
    sum((image**2).sum() + torch.cos(z).sum() for image, z in theirs).backward()
    for neck, (image, z) in enumerate(theirs):
        assert_close(made[neck], of_leaf(image))
        assert_close(features[neck], z.detach().numpy())
    assert_close(by_x, of_leaf(leaf.grad), 1e-3)
    expected = assert_parameters(network, tmp_path, architecture, by_params)
    if "batch_stats" in updated:  # PyTorch's running variance takes the batch's unbiased one
        close = partial(assert_close, tolerance=0.01)
        jax.tree.map(close, updated["batch_stats"], expected["batch_stats"])


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("architecture", CLASSIFIERS)
def test_classifiers(architecture, train, rng, tmp_path):
    make, model, shape = CLASSIFIERS[architecture]
    network, variables = twins(architecture, make, tmp_path)
    x = np.float32(rng.uniform(size=(6, *shape)))

    def loss(params, x):
        outputs, _ = model.apply({**variables, "params": params}, x, train=train)
        return jnp.sum(outputs.logits**2), outputs.logits

    grad = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (by_params, by_x), logits = grad(variables["params"], jnp.asarray(x))
    network.train(train)
    leaf = channels_first(x)
    theirs = network(leaf)
    (theirs**2).sum().backward()
    assert_close(logits, theirs.detach().numpy())
    assert_close(by_x, of_leaf(leaf.grad), 2e-3)
    assert_parameters(network, tmp_path, architecture, by_params)


def test_the_published_plain_autoencoder_is_a_dna_with_one_neck(tmp_path, rng):
    """Its neck is called `bn`, not `bn1`."""
    torch.manual_seed(0)
    network = DNA()
    state = {name.replace("bn1.", "bn."): value for name, value in network.state_dict().items()}
    torch.save({k: v for k, v in state.items() if "bn2" not in k}, tmp_path / "ae.pt")
    variables = load_torch_weights(tmp_path / "ae.pt", "ae")
    x = np.float32(rng.uniform(size=(3, 28, 28, 1)))
    outputs, _ = dna(1).model.apply(variables, x)
    (image, features), _ = network(channels_first(x))
    assert_close(outputs.reconstruction[0], of_leaf(image))
    assert_close(outputs.taps["features"][0], features.detach().numpy())
