"""What peers ask of an ensemble's outputs and gradients, per example."""

import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.types import Array

_OFFSET = 1e-6  # of the determinant, whose logarithm members that agree would take to −∞


def gradient_coherence(cosines: Array) -> Array:
    """Logarithm of Σ exp cos over the pairs of members, `[P, B]` gives `[B]`.

    The gradient alignment loss (GAL) of Kariyappa & Qureshi (2019, eq. 6): a smooth maximum of the
    cosines between the members' loss gradients, from `gradients.cosines`.
    """
    return jax.nn.logsumexp(cosines, axis=0)


def ensemble_entropy(logits: Array) -> Array:
    """Shannon entropy of the members' mean probabilities; `[M, B, C]` gives `[B]`."""
    # By logarithms: p log p of a probability that underflows has no derivative.
    log_mean = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=0) - jnp.log(len(logits))
    return -jnp.sum(jnp.exp(log_mean) * log_mean, axis=-1)


def ensemble_diversity(logits: Array, labels: Array) -> Array:
    """Squared volume `[B]` spanned by the members' predictions of the wrong classes, unit vectors.

    Pang et al. (2019, eq. 3): det(M̃ᵀ M̃). 1 where no two members hold the same wrong class likely,
    0 where two agree on all of them.

    Raises:
        UserError: if there are not more classes than members: the volume is 0 whatever they do.
    """
    members, _, classes = logits.shape
    if classes <= members:
        raise UserError(f"{members} members, {classes} classes: give more classes than members")
    labelled = jnp.arange(classes) == labels[:, None]
    # Of the wrong classes alone: the direction is that of the probabilities, without underflow.
    wrong = jax.nn.softmax(jnp.where(labelled, -jnp.inf, logits))
    units = wrong / jnp.linalg.norm(wrong, axis=-1, keepdims=True)
    gram = jnp.einsum("ibc,jbc->bij", units, units)
    return jnp.linalg.det(gram)


def adaptive_diversity(
    logits: Array, labels: Array, *, entropy: float = 2.0, volume: float = 0.5
) -> Array:
    """What adaptive diversity promoting (ADP, Pang et al. 2019, eq. 5) raises, `[B]`.

    entropy, volume: the paper's α and β, weights of the entropy and of the logarithm of the volume.
    """
    diversity = jnp.log(jnp.maximum(ensemble_diversity(logits, labels), 0) + _OFFSET)
    return entropy * ensemble_entropy(logits) + volume * diversity
