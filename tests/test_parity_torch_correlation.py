"""Correlation loss against PyTorch: exact float64, and the float32 `pinv` the papers used."""

import jax
import numpy as np
import pytest

from jaxadv.losses import correlation_loss, kept_columns
from jaxadv.losses.regression import RIDGE
from jaxadv.models import cnn, load_torch_weights
from tests.losses.made import features

torch = pytest.importorskip("torch", reason="parity tests compare with PyTorch: pip install torch")
from benchmarks.reference_torch import correlation as reference  # noqa: E402

SHAPES = [(500, 64), (1000, 200), (1000, 784), (1250, 448)]
KINDS = ["full", "duplicated", "zero"]


def ours(z1, z2, ridge=RIDGE):
    loss = lambda z1, z2: correlation_loss(z1, z2, ridge=ridge)  # noqa: E731
    return jax.value_and_grad(loss, argnums=(0, 1))(z1, z2)


jitted = jax.jit(ours)  # the ridge is traced: one program a shape


def differentiated(loss, z1, z2, dtype=torch.float64):
    """Value and both gradients of a torch loss, as numpy."""
    leaves = [torch.tensor(np.asarray(z), dtype=dtype, requires_grad=True) for z in (z1, z2)]
    value = loss(*leaves)
    value.backward()
    return value.item(), [leaf.grad.double().numpy() for leaf in leaves]


def ridge_objective(z1, z2, ridge=RIDGE, eps=1e-3):
    """The default objective with mu held constant, solved and differentiated in full."""
    kept = z1[:, reference.kept_columns(z1)]
    design = torch.cat([kept, kept.new_ones(len(kept), 1)], dim=1)
    mu = (ridge * torch.linalg.svdvals(design.detach())[0]) ** 2
    a, b = kept - kept.mean(0), z2 - z2.mean(0)
    below = mu.sqrt() * torch.eye(a.shape[1], dtype=a.dtype)
    # least squares of the extended system: the normal equations would square the condition
    q, r = torch.linalg.qr(torch.cat([a, below]))
    w = torch.linalg.solve_triangular(r, q[: len(a)].T @ b, upper=True)
    residual = (b - a @ w).square().sum() + mu * w.square().sum()
    return torch.log(b.square().sum() + eps) - torch.log(residual + eps)


def distance(actual, expected) -> float:
    """Relative, in the Frobenius norm."""
    return float(np.linalg.norm(np.asarray(actual, float) - expected) / np.linalg.norm(expected))


def assert_close(result, expected, value_tolerance, gradient_tolerance):
    value, gradients = result
    np.testing.assert_allclose(value, expected[0], rtol=value_tolerance)
    for actual, wanted in zip(gradients, expected[1], strict=True):
        assert distance(actual, wanted) < gradient_tolerance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_exact_least_squares_equals_float64_pinv(shape, kind):
    z1, z2 = features(*shape, kind=kind)
    expected = differentiated(reference.correlation_loss, z1, z2)
    assert_close(jitted(z1, z2, 0.0), expected, 1e-5, 1e-4)


def test_outside_jit_too():
    z1, z2 = features(*SHAPES[0])
    expected = differentiated(reference.correlation_loss, z1, z2)
    assert_close(ours(z1, z2, 0.0), expected, 1e-5, 1e-4)


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [*((shape, [*KINDS, "full"]) for shape in SHAPES), (SHAPES[1], ["zero"] * 4)],
    ids=str,
)
def test_vmap_over_four_equals_float64_pinv(shape, kinds):
    pairs = [features(*shape, seed, kind) for seed, kind in enumerate(kinds)]
    vmapped = jax.jit(jax.vmap(lambda z1, z2: ours(z1, z2, 0.0)))
    values, gradients = vmapped(*map(np.stack, zip(*pairs, strict=True)))
    for i, pair in enumerate(pairs):
        expected = differentiated(reference.correlation_loss, *pair)
        assert_close((values[i], [g[i] for g in gradients]), expected, 1e-5, 1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_default_ridge_equals_float64_autograd(shape, kind):
    z1, z2 = features(*shape, kind=kind)
    expected = differentiated(ridge_objective, z1, z2)
    assert_close(jitted(z1, z2, RIDGE), expected, 1e-4, 1e-3)


@pytest.fixture(scope="module")
def published(reference_dir, mnist_test):
    """Features `[1000, 784]` of both members of each published CNN pair."""
    model, x = cnn(), mnist_test.images[:1000]

    def read(name):
        variables = load_torch_weights(reference_dir / f"{name}.npz", "cnn")
        return np.asarray(model.apply(variables, x)[0].taps["features"])

    pairs = {pair: [f"cnn_{pair}_{i}" for i in (1, 2)] for pair in ("plain", "decorrelated")}
    return {pair: [read(name) for name in names] for pair, names in pairs.items()}


# Condition 3e5 and more for the plain pair: how small singular values are treated decides both
# numbers. Columns: live, ours, PyTorch's float32 pinv, exact; how much longer the exact gradient
# for Z1 is than ours, and how much longer that of the float32 pinv.
TRAINED = {
    "plain": (784, 5.465, 5.539, 6.094, 19.2, 1.20),
    "decorrelated": (196, 1.394, 1.398, 1.403, 1.41, 1.20),
}


@pytest.mark.parametrize("pair", TRAINED)
def test_on_trained_features(published, pair):
    z1, z2 = published[pair]
    live, ours_expected, truncated, exact, exact_ratio, truncated_ratio = TRAINED[pair]
    assert np.any(z1 != 0, axis=0).sum() == live
    in_float64 = reference.kept_columns(torch.tensor(z1, dtype=torch.float64)).numpy()
    np.testing.assert_array_equal(kept_columns(z1), in_float64)
    value, gradients = jitted(z1, z2, RIDGE)
    assert_close((value, gradients), differentiated(ridge_objective, z1, z2), 1e-4, 1e-3)
    np.testing.assert_allclose(value, ours_expected, atol=0.005)

    length = np.linalg.norm(gradients[0])
    value64, gradients64 = differentiated(reference.correlation_loss, z1, z2)
    np.testing.assert_allclose(value64, exact, atol=0.005)
    np.testing.assert_allclose(np.linalg.norm(gradients64[0]) / length, exact_ratio, rtol=0.02)
    value32, gradients32 = differentiated(reference.correlation_loss, z1, z2, torch.float32)
    np.testing.assert_allclose(value32, truncated, atol=0.05)  # as LAPACK rounds
    np.testing.assert_allclose(np.linalg.norm(gradients32[0]) / length, truncated_ratio, rtol=0.2)
    assert abs(value - value32) < 0.15
