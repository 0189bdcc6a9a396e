"""A network of one's own, trained as plain and as decorrelated pairs: do they share failures?

    python examples/decorrelate.py

Four seeds of both kinds train in one compiled program, from the same initial weights on the same
batches.
"""

import flax.linen as nn
import jax
import optax

from jaxadv import (
    attacks,
    data,
    defences,
    ensemble,
    evaluation,
    metrics,
    models,
    parallel,
    training,
)


class Net(nn.Module):
    """Any Linen module from images to logits will do."""

    @nn.compact
    def __call__(self, x):
        hidden = nn.relu(nn.Dense(64, name="hidden")(x.reshape(len(x), -1)))
        return nn.Dense(10)(hidden)


digits = data.load_dataset("digits")
pair = ensemble.stacked(models.from_linen(Net(), "hidden"))
phase = defences.decorrelation(pair, optax.adam(5e-3))

strengths, seeds = [0.0] * 4 + [0.05] * 4, [0, 1, 2, 3] * 2  # a run has one of each
start = training.init(pair.init, [phase], digits.train, seeds, {"strength": strengths})
*_, (state, losses) = training.fit([phase], start, digits.train, epochs=30, batch_size=359)
print("losses of the last epoch:", losses["loss"].round(3))


def attacked(weights):
    """FGSM made on each network of one pair and on both, and what both say of it."""
    key = jax.random.key(0)
    return evaluation.evaluate(pair, weights, attacks.fgsm, [0.1], digits.test, key)


found = jax.jit(parallel.over_runs(attacked))(state.variables)
first = found.adversarial[:, 0, 0]  # crafted on network 1: [runs, networks, images, classes]
one, two = metrics.wrong(first.swapaxes(0, 1), found.labels[0])
rates = [metrics.transfer_rate(*of).value for of in zip(one, two, strict=True)]
for name, of in {"plain": rates[:4], "decorrelated": rates[4:]}.items():
    print(f"{name}: of the images that fool network 1, {metrics.interval(of)} fool network 2")
