"""An attack of one's own beside plain PGD: its gradients are means over noisy copies of an image.

    python examples/own_attack.py

Noise smooths away what of the gradient is one network's alone, so that more of the attack transfers
(variance-reduced attack, Wu et al. 2018).
"""

import jax
import jax.numpy as jnp
import optax

from jaxadv import attacks, data, defences, ensemble, losses, metrics, models, training

digits = data.load_dataset("digits")
pair = ensemble.stacked(models.fc(num_classes=10))
phase = defences.regularised(pair, optax.adam(5e-3))  # two plain networks
start = training.init(pair.init, [phase], digits.train, [0])
*_, (state, _) = training.fit([phase], start, digits.train, epochs=20, batch_size=359)
both = ensemble.predict(pair, jax.tree.map(lambda leaf: leaf[0], state.variables))


def first(x):
    """Logits of the network that is attacked."""
    return both(x)[0]


def noisy(x, key):
    """Log odds against the true class, the mean over eight noisy copies of images `[B, H, W, 1]`.

    `key [B]` has a key for each image, its own at every step.
    """
    noise = jax.vmap(lambda key: jax.random.normal(key, (8, *x.shape[1:])), out_axes=1)(key)
    return -jax.vmap(lambda x: losses.log_odds(first(x), y))(x + 0.2 * noise).mean(axis=0)


x, y = jnp.asarray(digits.test.images) / 255.0, jnp.asarray(digits.test.labels)
keys = attacks.example_keys(jax.random.key(0), jnp.arange(len(x)))
pgd = attacks.pgd(eps=0.15, step_size=0.02, steps=20)
ways = {"PGD": attacks.untargeted(first, y), "noisy": attacks.ascend(noisy)}
for name, direction in ways.items():
    attack = jax.jit(lambda x, direction=direction: pgd(direction, x, keys))
    source, target = (metrics.wrong(logits, y) for logits in both(attack(x)))
    success, transfer = metrics.rate(source).value, metrics.transfer_rate(source, target).value
    print(f"{name}: fools its network in {success:.3f}, of these the other in {transfer:.3f}")
