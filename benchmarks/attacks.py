"""PGD-40 in the linf ball on MNIST: jaxadv against PyTorch, foolbox and torchattacks.

    python -m benchmarks.attacks [--device gpu] [--cases cnn] [--rounds 5]

Same weights, same images, same radius and step, begun at the images, so that the results can be
compared: nearly all first steps must be equal, and after 40 the success rates.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import inputs, report
from benchmarks.reference_torch.attacks import pgd as reference
from benchmarks.reference_torch.attacks import published_gradient
from benchmarks.report import EAGER, Row, Settings, compiled, finish, torch_device
from benchmarks.timing import Contestant, first_call
from jaxadv.attacks import Attack, pgd
from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, stack, stacked
from jaxadv.errors import UserError
from jaxadv.evaluation import craft
from jaxadv.models import cnn, fc
from jaxadv.types import Array, Variables

BENCHMARK = "attacks"
EPS, STEP, STEPS = 0.1, 3 / 255, 40
BATCH = 1000  # of the PyTorch side; jaxadv's chunk
MODELS = {"cnn": cnn, "fc": fc}
# Multiply-adds of one forward pass on one image, matrix products alone.
FORWARD = {
    "cnn": 28 * 28 * 9 * 8 + 14 * 14 * 72 * 16 + 7 * 7 * 144 * 32 + 320,
    "fc": 784 * 500 + 500 * 500 + 500 * 200 + 200 * 200 + 200 * 100 + 1000,
}
Craft = Callable[[Tensor, Tensor, int], Tensor]  # images, labels, steps


def operations(architecture: str, images: int) -> float:
    """Of `STEPS` forward passes and as many gradients for the images."""
    return 2.0 * 2 * FORWARD[architecture] * STEPS * images


class Logits(nn.Module):
    """The network alone with its logits, as libraries want it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[0]


def in_batches(attack: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def attacked(x: Tensor, y: Tensor) -> Tensor:
        return torch.cat([attack(*c) for c in zip(x.split(BATCH), y.split(BATCH), strict=True)])

    return attacked


def with_foolbox(network: nn.Module) -> Craft:
    import foolbox

    model = foolbox.PyTorchModel(Logits(network).eval(), bounds=(0, 1), device=torch_device())

    def attack(x: Tensor, y: Tensor, steps: int) -> Tensor:
        made = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=steps, random_start=False)
        return in_batches(lambda x, y: made.run(model, x, y, epsilon=EPS))(x, y)

    return attack


def with_torchattacks(network: nn.Module) -> Craft:
    import torchattacks

    def attack(x: Tensor, y: Tensor, steps: int) -> Tensor:
        made = torchattacks.PGD(Logits(network), EPS, STEP, steps, random_start=False)
        return in_batches(made)(x, y)

    return attack


def with_torch(network: nn.Module, **options) -> Craft:
    def attack(x: Tensor, y: Tensor, steps: int) -> Tensor:
        settings = {"eps": EPS, "step_size": STEP, "steps": steps, "batch": BATCH}
        return reference(network, x, y, **settings, **options)

    return attack


def opponents(architecture: str, settings: Settings) -> Iterator[tuple[str, Craft]]:
    """Each has a network of its own: one leaves gradients in its weights, another freezes them."""

    def network() -> nn.Module:
        return inputs.trained(architecture, settings.reference)[0].to(torch_device())

    yield EAGER, with_torch(network())
    yield "torch eager, weight gradients", with_torch(network(), gradient=published_gradient)
    yield "torch.compile", with_torch(torch.compile(network().requires_grad_(False)))
    for name, make in {"foolbox": with_foolbox, "torchattacks": with_torchattacks}.items():
        if importlib.util.find_spec(name) is None:
            print(f"{name}: left out, it is not installed: pip install {name}")
        else:
            yield name, make(network())


def crafted(ensemble: Ensemble, attack: Attack) -> Callable[[Variables, Dataset], Array]:
    return lambda variables, data: craft(
        ensemble, variables, (0,), attack, data, jax.random.key(0), chunk=BATCH
    )


def check_equal(name: str, ours: Array, theirs: Tensor, least: float) -> None:
    """Nearly all pixels equal: where a gradient is but rounding, its sign is too."""
    other = theirs.cpu().numpy().transpose(0, 2, 3, 1)
    share = np.mean(np.abs(np.asarray(ours) - other) < 1e-5)
    if share < least:
        raise UserError(f"{name}: only {share:.4f} of the pixels equal jaxadv's")


def contestants(architecture: str, settings: Settings, data: Dataset) -> list[Contestant]:
    """All sides, once they have shown that their first step and their success are alike."""
    ensemble = stacked(MODELS[architecture](), 1)
    _, variables = inputs.trained(architecture, settings.reference)
    variables, data = stack([variables]), Dataset(*map(jnp.asarray, data))
    attack = pgd(EPS, STEP, STEPS, random_start=False)
    program, seconds = compiled(crafted(ensemble, attack), variables, data)
    first = jax.jit(crafted(ensemble, replace(attack, steps=1)))(variables, data)
    wrong = error_rate(ensemble, variables, program(variables, data), data.labels)

    x = torch.tensor(np.asarray(data.images).transpose(0, 3, 1, 2).copy(), device=torch_device())
    y = torch.tensor(np.asarray(data.labels), dtype=torch.long, device=torch_device())
    found = [Contestant("jaxadv", lambda: finish(program(variables, data)), seconds)]
    for name, make in opponents(architecture, settings):
        if not settings.takes_part(name):
            continue
        check_equal(name, first, make(x, y, 1), 0.995)
        adversarial = make(x, y, STEPS).cpu().numpy().transpose(0, 2, 3, 1)
        rate = error_rate(ensemble, variables, adversarial, data.labels)
        if abs(rate - wrong) > 0.005:
            raise UserError(f"{name}: success {rate:.4f}, jaxadv {wrong:.4f}")

        def work(make=make):
            return finish(make(x, y, STEPS))

        lazy = first_call(lambda make=make: finish(make(x, y, 1))) if "compile" in name else None
        found.append(Contestant(name, work, lazy))
    return found


def error_rate(ensemble: Ensemble, variables: Variables, images: Array, labels: Array) -> float:
    """Share of the images that the network gets wrong."""
    outputs, _ = jax.jit(ensemble.apply)(variables, images)
    return float(jnp.mean(jnp.argmax(outputs.logits[0], -1) != labels))


def measure(settings: Settings) -> list[Row]:
    rows = []
    for architecture, images in [("cnn", 1000), ("cnn", 10_000), ("fc", 1000), ("fc", 10_000)]:
        name = f"pgd-{STEPS} {architecture} {images:,} images"
        if settings.chosen(name):
            data = inputs.mnist(settings.data_dir, images)
            sides = contestants(architecture, settings, data)
            count = operations(architecture, images)
            rows += report.case(BENCHMARK, name, sides, settings, operations=count)
    return rows


if __name__ == "__main__":
    report.main(BENCHMARK, __doc__, measure)
