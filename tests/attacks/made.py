"""Small networks, and images on and off the borders, for the tests of attacks."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.attacks import example_keys, fgm, fgsm, l2, mi_fgsm, pgd
from jaxadv.models import cnn

# every attack, as a function of its eps
ATTACKS = {
    "fgsm": fgsm,
    "fgm": fgm,
    "pgd_linf": lambda eps: pgd(eps, eps / 4, 7),
    "pgd_l2": lambda eps: pgd(eps, eps / 4, 7, l2),
    "mi_fgsm": lambda eps: mi_fgsm(eps, 7),
    "mi_fgsm_l2": lambda eps: mi_fgsm(eps, 7, ball=l2),
}
SIDE = 12


def images(n, side=SIDE, seed=0):
    """`[n, side, side, 1]` float32 in [0, 1]; a third black, a sixth white, as MNIST is."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, side, side, 1))
    kind = rng.uniform(size=x.shape)
    return np.float32(np.where(kind < 1 / 3, 0, np.where(kind > 5 / 6, 1, x)))


def jitted(attack, direction, x, keys=None):
    """`attack(direction, x, keys)` in one program, which warns of nothing."""
    return jax.jit(lambda x, keys: attack(direction, x, keys))(x, keys)


def labels(n, seed=0):
    return np.random.default_rng(seed + 1).integers(0, 10, n)


def keys(indices):
    return example_keys(jax.random.key(0), jnp.asarray(indices))


def network(x):
    """Logits of one hidden layer with fixed random weights: quick to compile."""
    rng = np.random.default_rng(5)
    hidden = np.float32(rng.normal(size=(SIDE**2, 32)) / SIDE)
    return jnp.tanh(linear(hidden)(x)) @ np.float32(rng.normal(size=(32, 10)))


@cache
def convolutional():
    """Logits of the paper's CNN with its initial weights, six times as steep."""
    model = cnn()
    with jax.ensure_compile_time_eval():  # the first call may come while something is traced
        variables = jax.jit(model.init)(jax.random.key(2), jnp.zeros((1, SIDE, SIDE, 1)))
    return lambda x: 6 * model.apply(variables, x)[0].logits


def linear(weights, bias=0.0):
    """`x -> x @ weights + bias` on flattened images."""
    return lambda x: x.reshape(len(x), -1) @ weights + bias


def perturbation_norms(x_adv, x, name):
    """In float64, from the arrays as saved."""
    difference = np.asarray(x_adv, np.float64) - np.asarray(x, np.float64)
    flat = difference.reshape(len(x), -1)
    return np.linalg.norm(flat, ord=np.inf if name == "linf" else 2, axis=1)
