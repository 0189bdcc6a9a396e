"""The whole matrix of a pair: who is fooled by what is made on whom, at four radii.

    python -m benchmarks.matrix [--devices 2] [--rounds 3]

PGD-40 on 1,000 MNIST images, on each of two networks, at each radius; both networks read all that
comes out. jaxadv makes it in one program, once on one device and once with a device a core; the
others go through sources and radii in a loop, as their users do. Same weights, images, radii and
steps, begun at the images; before any timing the rates are checked to agree.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import inputs, report
from benchmarks.attacks import BATCH, FORWARD, STEP, STEPS, Logits
from benchmarks.reference_torch.attacks import pgd as reference
from benchmarks.report import EAGER, Row, Settings, compiled, finish, torch_device
from benchmarks.timing import Contestant
from jaxadv.attacks import Attack, pgd
from jaxadv.data import Dataset
from jaxadv.ensemble import predict, stack, stacked
from jaxadv.errors import UserError
from jaxadv.evaluation import evaluate
from jaxadv.models import cnn
from jaxadv.types import Array, Variables

BENCHMARK = "matrix"
RADII = (0.05, 0.1, 0.15, 0.2)
IMAGES = 1000
SOURCES = {"1": (0,), "2": (1,)}
Matrix = np.ndarray  # error rates [radii, sources, targets]
Craft = Callable[[int, Tensor, Tensor, float], Tensor]  # source, images, labels, radius


def attack(eps: Array) -> Attack:
    return pgd(eps, STEP, STEPS, random_start=False)


def rates(variables: Variables, data: Dataset, spread: bool) -> Array:
    """jaxadv's matrix: one program."""
    key, radii = jax.random.key(0), np.asarray(RADII, np.float32)
    settings = {"sources": SOURCES, "chunk": BATCH, "spread": spread}
    found = evaluate(stacked(cnn()), variables, attack, radii, data, key, **settings)
    return jnp.mean(jnp.argmax(found.adversarial, -1) != found.labels, axis=-1)


def looped(networks: list[nn.Module], x: Tensor, y: Tensor, craft: Craft) -> Matrix:
    """The matrix as a loop over radii and sources."""

    def errors(source: int, eps: float) -> list[float]:
        made = craft(source, x, y, eps)
        with torch.no_grad():
            read = [network(made)[0].argmax(-1) for network in networks]
        return [float((labels != y).float().mean()) for labels in read]

    return np.array([[errors(source, eps) for source in (0, 1)] for eps in RADII])


def with_torch(networks: list[nn.Module]) -> Craft:
    settings = {"step_size": STEP, "steps": STEPS, "batch": BATCH}
    return lambda source, x, y, eps: reference(networks[source], x, y, eps=eps, **settings)


def with_torchattacks(networks: list[nn.Module]) -> Craft:
    import torchattacks

    def craft(source: int, x: Tensor, y: Tensor, eps: float) -> Tensor:
        made = torchattacks.PGD(Logits(networks[source]), eps, STEP, STEPS, random_start=False)
        return made(x, y)

    return craft


def with_foolbox(networks: list[nn.Module]) -> Craft:
    import foolbox

    models = [
        foolbox.PyTorchModel(Logits(network).eval(), bounds=(0, 1), device=torch_device())
        for network in networks
    ]
    made = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS, random_start=False)
    return lambda source, x, y, eps: made.run(models[source], x, y, epsilon=eps)


def with_foolbox_on_jax(variables: Variables, data: Dataset) -> Callable[[], Matrix]:
    """foolbox on our networks, each a compiled function of JAX's."""
    import foolbox

    logits = jax.jit(predict(stacked(cnn()), variables))
    models = [
        foolbox.JAXModel(lambda x, m=m: logits(x)[m], bounds=(0, 1), data_format="channels_last")
        for m in (0, 1)
    ]
    made = foolbox.attacks.LinfPGD(abs_stepsize=STEP, steps=STEPS, random_start=False)

    def errors(source: int, eps: float) -> list[float]:
        x = made.run(models[source], data.images, data.labels, epsilon=eps)
        return jnp.mean(jnp.argmax(logits(x), -1) != data.labels, axis=-1).tolist()

    return lambda: np.array([[errors(source, eps) for source in (0, 1)] for eps in RADII])


def trained_pair(settings: Settings) -> tuple[list[nn.Module], Variables]:
    """The published plain CNNs."""
    pair = [inputs.trained("cnn", settings.reference, number) for number in (1, 2)]
    return [network.to(torch_device()) for network, _ in pair], stack([v for _, v in pair])


def opponents(settings: Settings, data: Dataset) -> Iterator[tuple[str, Callable[[], Matrix]]]:
    """Each with networks of its own, as one freezes them and another leaves gradients there."""
    x = torch.tensor(np.asarray(data.images).transpose(0, 3, 1, 2).copy(), device=torch_device())
    y = torch.tensor(np.asarray(data.labels), dtype=torch.long, device=torch_device())
    loops = {EAGER: with_torch, "torchattacks": with_torchattacks, "foolbox": with_foolbox}
    for name, make in loops.items():
        if name == EAGER or importlib.util.find_spec(name) is not None:
            networks, _ = trained_pair(settings)
            craft = make(networks)
            yield name, lambda networks=networks, craft=craft: looped(networks, x, y, craft)
        else:
            print(f"{name}: left out, it is not installed: pip install {name}")
    if importlib.util.find_spec("foolbox") is not None:
        yield "foolbox on jax", with_foolbox_on_jax(trained_pair(settings)[1], data)


def contestants(settings: Settings) -> list[Contestant]:
    """All sides, once their rates have been seen to agree."""
    images = inputs.mnist(settings.data_dir, IMAGES)
    data = Dataset(*map(jnp.asarray, images))
    _, variables = trained_pair(settings)
    found = list[Contestant]()
    expected = None
    for spread in (False, True) if jax.local_device_count() > 1 else (False,):
        name = f"jaxadv, {jax.local_device_count()} devices" if spread else "jaxadv"
        program, seconds = compiled(rates, variables, data, spread, static_argnums=2)
        ours = np.asarray(program(variables, data))
        expected = ours if expected is None else expected
        check_equal(name, ours, expected)
        found.append(Contestant(name, lambda p=program: finish(p(variables, data)), seconds))
    for name, work in opponents(settings, data):
        if settings.takes_part(name):
            check_equal(name, work(), expected)
            found.append(Contestant(name, work))
    return found


def check_equal(name: str, theirs: Matrix, ours: Matrix) -> None:
    if np.abs(theirs - ours).max() > 0.005:
        raise UserError(f"{name}: rates {theirs.round(4).tolist()}, jaxadv {ours.tolist()}")


def measure(settings: Settings) -> list[Row]:
    name = f"pgd-{STEPS} cnn pair, {len(RADII)} radii, {IMAGES:,} images"
    if not settings.chosen(name):
        return []
    steps = 2.0 * 2 * FORWARD["cnn"] * STEPS * IMAGES * len(RADII) * len(SOURCES)
    return report.case(BENCHMARK, name, contestants(settings), settings, operations=steps)


if __name__ == "__main__":
    usual = replace(Settings(), devices=os.cpu_count() or 1, rounds=3)
    report.main(BENCHMARK, __doc__, measure, usual)
