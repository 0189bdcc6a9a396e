"""Training steps of the papers' studies: jaxadv against PyTorch, forward, backward and Adam.

    python -m benchmarks.training [--device gpu] [--cases cnn] [--rounds 10]

Pairs of CNNs and of FCs at batch 1000, plain and decorrelated, and the MNIST dual-neck autoencoder
at batch 500. Each call is the same five steps on both sides, from the published weights (of the
decorrelated CNN pair, where that is trained) and Adam's first state: what the loss costs depends
on how many features are alive, and sides left to go on drift apart. After a call both must have
moved alike.
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import Tensor, nn

from benchmarks import inputs, report
from benchmarks.reference_torch.training import Loss, autoencoder_loss, pair_loss, train
from benchmarks.report import EAGER, Row, Settings, compiled, finish, torch_device
from benchmarks.timing import Contestant, first_call
from jaxadv import training
from jaxadv.data.batches import epoch_indices
from jaxadv.data.dataset import Dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import Ensemble, pathways, stack, stacked
from jaxadv.errors import UserError
from jaxadv.losses import reconstruct
from jaxadv.models import cnn, dna, fc
from jaxadv.types import PyTree, Variables

BENCHMARK = "training"
STEPS = 5  # a call
LEARNING_RATE = 5e-3
STRENGTH = 0.05
BATCH = {"cnn": 1000, "fc": 1000, "dna": 500}
# How far apart the sides may be after a call, of the way they went: from the published weights, and
# from fresh ones. There features are ill-conditioned: what the ridge damps, float32 `pinv`
# truncates; and five BatchNorms magnify rounding.
FROM_PUBLISHED = 0.05
FROM_FRESH = {
    **{("cnn", False): 0.05, ("cnn", True): 0.5},
    **{("fc", False): 0.2, ("fc", True): 0.2},
    **{("dna", False): 0.05, ("dna", True): 0.5},
}
# Multiply-adds of one image's forward pass, of the layers that read the image (whose gradient with
# respect to it nobody needs), and the width of the features.
WORK = {
    "cnn": (
        2 * (28 * 28 * 9 * 8 + 14 * 14 * 72 * 16 + 7 * 7 * 144 * 32 + 320),
        2 * 28 * 28 * 9 * 8,
        784,
    ),
    "fc": (
        2 * (784 * 500 + 500 * 500 + 500 * 200 + 200 * 200 + 200 * 100 + 1000),
        2 * 784 * 500,
        200,
    ),
    "dna": (784 * 100 + 100 * 128 + 2 * (2 * 128 * 64 + 128 * 100 + 100 * 784), 784 * 100, 64),
}


def operations(architecture: str, strength: float) -> float:
    """Forward and both gradients, and one regression on full-rank features if decorrelated."""
    n, (forward, first, d) = BATCH[architecture], WORK[architecture]
    regression = 2 * n * d**2 - 2 * d**3 / 3 + 6 * n * d**2 + d**3
    return 2.0 * n * (3 * forward - first) + (regression if strength else 0)


class Twins(NamedTuple):
    """The same study on both sides.

    networks: PyTorch's, with the weights to begin with. loss: of them, at a strength.
    ensemble, variables: ours, with the same weights. options: of `decorrelation`.
    theirs: PyTorch's parameters as ours are named.
    """

    networks: nn.Module
    loss: Loss
    ensemble: Ensemble
    variables: Variables
    options: dict[str, Any]
    theirs: Callable[[], PyTree]


def pair(architecture: str, strength: float, settings: Settings) -> Twins:
    """Two classifiers and cross-entropies."""
    kind = "decorrelated" if strength and architecture == "cnn" else "plain"  # as published
    networks = nn.ModuleList(
        inputs.trained(architecture, settings.reference, number, kind)[0] for number in (1, 2)
    )

    def theirs() -> PyTree:
        return stack([inputs.variables_of(network, architecture) for network in networks])

    variables, model = theirs(), {"cnn": cnn, "fc": fc}[architecture]()
    networks.to(torch_device())
    loss = pair_loss(networks, strength)
    return Twins(networks, loss, stacked(model, 2), variables, {}, lambda: theirs()["params"])


def autoencoder(strength: float, settings: Settings) -> Twins:
    """The dual-neck autoencoder and reconstruction errors; its classifier rests."""
    network, _ = inputs.trained("dna", settings.reference)
    ensemble = pathways(dna(), cnn())

    def theirs() -> Variables:
        return inputs.variables_of(network, "dna")

    fresh = ensemble.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    variables = {**fresh, "autoencoder": theirs()}
    network.to(torch_device())
    options = {"task": reconstruct, "trainable": lambda path: path[0].key == "autoencoder"}
    loss = autoencoder_loss(network, strength)
    return Twins(network, loss, ensemble, variables, options, lambda: theirs()["params"])


def begin(twins: Twins, architecture: str, strength: float, data: Dataset) -> Any:
    """Our program of `STEPS` steps, its compile time, and the state it begins with."""
    phase = decorrelation(
        twins.ensemble, optax.adam(LEARNING_RATE), joined="root_sum_square", **twins.options
    )
    settings = {"strength": [strength]}
    runs = training.init(lambda key, x: twins.variables, [phase], data, [0], settings)
    state = jax.tree.map(lambda leaf: leaf[0], runs)

    def step(state: training.State, data: Dataset) -> training.State:
        return training.epoch([phase], BATCH[architecture], state, data)[0]

    program, seconds = compiled(step, state, data)
    return program, seconds, state


def batches(architecture: str, data: Dataset, state: training.State) -> list[tuple[Tensor, Tensor]]:
    """The batches of our first epoch, in its order."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(state.seed), 1), state.epoch)
    order = epoch_indices(jax.random.split(key)[0], len(data.labels), BATCH[architecture])
    images, labels = np.asarray(data.images).transpose(0, 3, 1, 2), np.asarray(data.labels)
    return [
        (
            torch.tensor(images[rows].copy(), device=torch_device()),
            torch.tensor(labels[rows], dtype=torch.long, device=torch_device()),
        )
        for rows in np.asarray(order)
    ]


def check_equal(start: PyTree, ours: PyTree, theirs: PyTree, allowed: float) -> None:
    """That both sides moved alike: their distance against how far the parameters moved."""

    def distance(a: PyTree, b: PyTree) -> float:
        leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return float(np.sqrt(sum(np.sum((np.asarray(x) - np.asarray(y)) ** 2) for x, y in leaves)))

    apart = distance(ours, theirs) / distance(theirs, start)
    print(f"after {STEPS} steps the sides are {apart:.4f} of the way apart")
    if not apart < allowed:
        raise UserError(f"the sides moved {apart:.3f} of the way apart, more than {allowed}")


def contestants(architecture: str, strength: float, settings: Settings) -> list[Contestant]:
    """Both sides and the compiled PyTorch, after the first has shown that they agree."""
    count = STEPS * BATCH[architecture]
    data = jax.tree.map(jnp.asarray, inputs.mnist(settings.data_dir, count, "train"))
    dna = architecture == "dna"
    twins = autoencoder(strength, settings) if dna else pair(architecture, strength, settings)
    program, seconds, state = begin(twins, architecture, strength, data)
    fed = batches(architecture, data, state)
    twins.networks.train()
    start = copy.deepcopy(twins.networks.state_dict())

    def theirs(loss: Loss) -> Callable[[], Any]:
        def five_steps() -> Any:
            twins.networks.load_state_dict(start)
            optimizer = torch.optim.Adam(twins.networks.parameters(), LEARNING_RATE)
            return finish(train(loss, optimizer, fed))

        return five_steps

    eager = theirs(twins.loss)
    eager()
    ours = parameters(program(state, data).variables)
    fresh = inputs.weights_folder(settings.reference) is None
    allowed = FROM_FRESH[architecture, bool(strength)] if fresh else FROM_PUBLISHED
    check_equal(parameters(twins.variables), ours, twins.theirs(), allowed)
    fused = theirs(torch.compile(twins.loss))
    return [
        Contestant("jaxadv", lambda: finish(program(state, data)), seconds),
        Contestant(EAGER, eager),
        Contestant("torch.compile", fused, first_call(fused)),
    ]


def parameters(variables: Variables) -> PyTree:
    return variables.get("autoencoder", variables)["params"]


def measure(settings: Settings) -> list[Row]:
    rows = []
    for architecture in BATCH:
        for title, strength in {"plain": 0.0, "decorrelated": STRENGTH}.items():
            name = f"{title} {architecture} batch {BATCH[architecture]}"
            if settings.chosen(name):
                sides = contestants(architecture, strength, settings)
                count = operations(architecture, strength)
                rows += report.case(BENCHMARK, name, sides, settings, operations=count, units=STEPS)
    return rows


if __name__ == "__main__":
    report.main(BENCHMARK, __doc__, measure)
