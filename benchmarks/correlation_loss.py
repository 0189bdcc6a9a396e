"""The correlation loss and both its gradients: jaxadv against PyTorch through `pinv`.

    python -m benchmarks.correlation_loss [--device gpu] [--rounds 20]

Made features, half predictable, at the shapes of the papers' studies; and the features of the
published CNN pairs on MNIST's first 1,000 test images where both are at hand.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks import inputs, report
from benchmarks.reference_torch.correlation import correlation_loss as reference
from benchmarks.report import EAGER, Row, Settings, compiled, finish, torch_device
from benchmarks.timing import Contestant, first_call
from jaxadv.errors import UserError
from jaxadv.losses import correlation_loss, kept_columns
from jaxadv.models import cnn
from jaxadv.types import Array

BENCHMARK = "correlation_loss"
SHAPES = [(500, 64), (1000, 200), (1000, 784), (1250, 448)]


def made(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Full-rank `Z1, Z2 [n, d]`, Z2 half predictable from Z1."""
    rng = np.random.default_rng(0)
    z1 = rng.normal(size=(n, d)) + 0.5
    z2 = z1 @ rng.normal(size=(d, d)) / np.sqrt(d) + rng.normal(size=(n, d))
    return np.float32(z1), np.float32(z2)


def published(settings: Settings, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Features `[1000, 784]` of both published CNNs of a pair."""
    x = inputs.mnist(settings.data_dir, 1000).images

    def features(number: int) -> np.ndarray:
        _, variables = inputs.trained("cnn", settings.reference, number, kind)
        return np.asarray(cnn().apply(variables, x)[0].taps["features"])

    return features(1), features(2)


def cases(settings: Settings) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names and features."""
    for n, d in SHAPES:
        if settings.chosen(name := f"{n}x{d} full rank"):
            yield name, *made(n, d)
    for kind in ("plain", "decorrelated"):
        if settings.chosen(name := f"1000x784 published {kind}"):
            if inputs.weights_folder(settings.reference) is None:
                print(f"{name}: left out, no --reference folder")
            else:
                yield name, *published(settings, kind)


def operations(z1: Array, z2: Array) -> float:
    """Of one QR of the kept columns, Qᵀ Z2, the triangular solve, the residual, one gradient."""
    n, targets = z2.shape
    d = int(np.sum(kept_columns(z1)))
    factor = 2 * n * d**2 - 2 * d**3 / 3
    return factor + 3 * 2 * n * d * targets + d**2 * targets


def both_gradients(z1: Array, z2: Array) -> tuple[Array, tuple[Array, Array]]:
    return jax.value_and_grad(correlation_loss, argnums=(0, 1))(z1, z2)


def torch_work(loss, z1: np.ndarray, z2: np.ndarray):
    """Value and both gradients, as a training step has them."""
    leaves = [torch.tensor(z, device=torch_device(), requires_grad=True) for z in (z1, z2)]

    def work():
        value = loss(*leaves)
        return finish((value, torch.autograd.grad(value, leaves)))

    return work


def check_equal(ours, theirs, trained: bool) -> None:
    """Loss within 1e-4 and gradients within 1e-2, relative.

    On trained features only the loss, within 0.15: there float32 `pinv` truncates what the ridge
    damps, and its gradients are another regulariser's (tests/test_parity_torch_correlation.py).
    """
    (value, gradients), (expected, expected_gradients) = ours, theirs
    allowed = 0.15 if trained else 1e-4 * abs(expected.item())
    if abs(float(value) - expected.item()) > allowed:
        raise UserError(f"losses differ: jaxadv {float(value):.4f}, PyTorch {expected.item():.4f}")
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        other = theirs.cpu().numpy()
        distance = np.linalg.norm(np.asarray(ours) - other) / np.linalg.norm(other)
        if not trained and distance > 1e-2:
            raise UserError(f"gradients differ by {distance:.1e} of their norm")


def measure(settings: Settings) -> list[Row]:
    rows = []
    for name, z1, z2 in cases(settings):
        ours = jnp.asarray(z1), jnp.asarray(z2)
        program, seconds = compiled(both_gradients, *ours)
        eager = torch_work(reference, z1, z2)
        check_equal(program(*ours), eager(), "published" in name)
        contestants = [
            Contestant("jaxadv", lambda p=program, z=ours: finish(p(*z)), seconds),
            Contestant(EAGER, eager),
        ]
        fused = torch_work(torch.compile(reference), z1, z2)
        contestants.append(Contestant("torch.compile", fused, first_call(fused)))
        count = operations(*ours)
        rows += report.case(BENCHMARK, name, contestants, settings, operations=count)
    return rows


if __name__ == "__main__":
    report.main(BENCHMARK, __doc__, measure)
