"""Three models of different kinds, trained with plain Optax: which of them fools which?

python examples/which_fools_which.py
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxadv import attacks, data, transfer

digits = data.load_dataset("digits")
images, labels = digits.train.images / 255.0, digits.train.labels
keys = jax.random.split(jax.random.key(0), 3)


def trained(logits, weights):
    """Weights after 200 steps of Adam on all images; logits: (weights, images) -> [B, 10]."""
    optimizer = optax.adam(1e-2)

    def loss(weights):
        each = optax.softmax_cross_entropy_with_integer_labels(logits(weights, images), labels)
        return each.mean()

    def step(state, _):
        weights, moments = state
        updates, moments = optimizer.update(jax.grad(loss)(weights), moments)
        return (optax.apply_updates(weights, updates), moments), None

    start = weights, optimizer.init(weights)
    return jax.jit(lambda start: jax.lax.scan(step, start, length=200)[0][0])(start)


def flat(x):
    """Images `[B, 8, 8, 1]` as rows `[B, 64]`."""
    return x.reshape(len(x), -1)


# A plain function of an array of weights.
plane = trained(lambda w, x: flat(x) @ w, jax.random.normal(keys[0], (64, 10)) / 8)

# A Linen module.
wide = nn.Sequential([flat, nn.Dense(128), nn.relu, nn.Dense(10)])
wide_weights = trained(wide.apply, wide.init(keys[1], images[:1]))

# An NNX module, split into what is trained and what is not.
deep = nnx.Sequential(
    *(flat, nnx.Linear(64, 64, rngs=nnx.Rngs(0)), nnx.relu),
    *(nnx.Linear(64, 64, rngs=nnx.Rngs(1)), nnx.relu, nnx.Linear(64, 10, rngs=nnx.Rngs(2))),
)
graph, start = nnx.split(deep)
deep_weights = trained(lambda w, x: nnx.merge(graph, w)(x), start)

result = transfer(
    {
        "linear": lambda x: flat(x) @ plane,
        "wide": lambda x: wide.apply(wide_weights, x),
        "deep": lambda x: nnx.merge(graph, deep_weights)(x),
    },
    jnp.asarray(digits.test.images) / 255.0,
    digits.test.labels,
    lambda eps: attacks.pgd(eps, step_size=0.02, steps=20),
    eps=[0.05, 0.1],
)
print(result.table())
result.plot("which_fools_which.png", eps=0.1)
