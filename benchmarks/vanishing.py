"""Do attacks fade on networks that are sure? The cross-entropy's gradient against the log odds'.

    python -m benchmarks.vanishing [--data-dir DIR] [--reference DIR]

The gradient of a cross-entropy is Σ p_k ∇z_k − ∇z_y. In float32 p_y is 1 where the true class
leads by 17 or more: ∇z_y drops out, and what is left points elsewhere. On the authors' published
networks and on a small one trained till it is sure, this counts such images, and how many an attack
fools by either objective; both are the same in exact arithmetic. Nothing is timed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from jaxadv import attacks, metrics, models
from jaxadv.attacks import Attack, fgsm, pgd
from jaxadv.compilation import jit
from jaxadv.data import Dataset, load_dataset
from jaxadv.ensemble import pathways, predict
from jaxadv.losses import cross_entropy
from jaxadv.models import load_torch_weights
from jaxadv.types import Array, Predict

EPS = (0.05, 0.1)
FEW = 1000  # images for PGD, evenly spaced


@dataclass(frozen=True)
class Arguments:
    """Attacks by the cross-entropy and by the log odds."""

    data_dir: Path | None = None
    """Folder of MNIST; default $JAXADV_DATA, else ./data."""
    reference: Path = Path("reference")
    """Folder of the published weights."""


def published(folder: Path) -> Iterator[tuple[str, Predict]]:
    """The authors' networks as functions to logits `[M, B, C]`."""
    for name in ("cnn_plain", "cnn_decorrelated", "fc_plain"):
        model = getattr(models, name.partition("_")[0])()
        for number in (1, 2):
            variables = load_torch_weights(folder / f"{name}_{number}.npz", model_name(name))
            yield f"{name} {number}", alone(model, variables)
    both = pathways(models.dna(), models.dna_classifier())
    parts = {"autoencoder": "dna", "classifier": "dna_classifier"}
    files = {"autoencoder": "dna_mnist.npz", "classifier": "dna_mnist_classifier.npz"}
    variables = {part: load_torch_weights(folder / files[part], parts[part]) for part in parts}
    yield "dna, both pathways", predict(both, variables)


def model_name(name: str) -> str:
    return name.partition("_")[0]


def alone(model: models.Model, variables: dict) -> Predict:
    return lambda x: model.apply(variables, x)[0].logits[None]


def sure(data: Dataset) -> Predict:
    """A 64-200-10 network on the digits, after 4,000 steps of Adam on all of them."""
    x, y = jnp.asarray(data.images / 255.0, jnp.float32), jnp.asarray(data.labels)
    model, adam = models.fc(10, (200,), 1), optax.adam(1e-2)
    variables = model.init(jax.random.key(0), x)
    statistics = variables["batch_stats"]

    def loss(params: dict) -> Array:
        logits = model.apply({"params": params, "batch_stats": statistics}, x)[0].logits
        return jnp.mean(cross_entropy(logits, y))

    def step(_: int, carry: tuple) -> tuple:
        params, state = carry
        updates, state = adam.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    params = variables["params"]
    run = jit(lambda params: jax.lax.fori_loop(0, 4000, step, (params, adam.init(params)))[0])
    return alone(model, {"params": run(params), "batch_stats": statistics})


def success(predict: Predict, data: Dataset, attack: Attack, direction: Callable) -> float:
    """Share of images that every member gets wrong."""
    x, y = jnp.asarray(data.images / 255.0, jnp.float32), jnp.asarray(data.labels)
    x_adv = jit(lambda x: attack.flagged(direction(predict, y), x)[0])(x)
    return float(np.mean(metrics.wrong(jit(predict)(x_adv), data.labels).all(0)))


def rounded(predict: Predict, data: Dataset) -> float:
    """Share of images whose true class has probability 1 in float32 with some member."""
    x = jnp.asarray(data.images / 255.0, jnp.float32)
    true = jax.nn.softmax(jit(predict)(x))[:, np.arange(len(x)), data.labels]
    return float(np.mean(np.any(true == 1, axis=0)))


def by_cross_entropy(predict: Predict, y: Array) -> attacks.Direction:
    return attacks.ascend(lambda x: jnp.mean(cross_entropy(predict(x), y), axis=0))


def show(name: str, predict: Predict, data: Dataset) -> None:
    few = Dataset(*(each[:: max(1, len(data.labels) // FEW)] for each in data))
    for eps in EPS:
        steps = {"FGSM": (fgsm(eps), data), "PGD-40": (pgd(eps, 3 / 255, random_start=False), few)}
        for title, (attack, images) in steps.items():
            before = success(predict, images, attack, by_cross_entropy)
            after = success(predict, images, attack, attacks.joint)
            print(
                f"| {name} | {title} | {eps} | {len(images.labels):,} | "
                f"{rounded(predict, images):.4f} | "
                f"{before:.4f} | {after:.4f} | {after - before:+.4f} |",
                flush=True,
            )


def main() -> None:
    """Print a table."""
    arguments = tyro.cli(Arguments, description=__doc__)
    print("| network | attack | eps | images | probability 1 | cross-entropy | log odds | moved |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    digits = load_dataset("digits")
    show("digits, sure", sure(digits.train), digits.test)
    mnist = load_dataset("mnist", "files", arguments.data_dir, progress=False).test
    for name, network in published(arguments.reference):
        show(name, network, mnist)


if __name__ == "__main__":
    main()
