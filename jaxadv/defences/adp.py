"""Adaptive diversity promoting (Pang et al. 2019): a peer, to compare decorrelation with."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import STRENGTH, Step, regularised
from jaxadv.ensemble import Ensemble
from jaxadv.errors import UserError
from jaxadv.losses.diversity import adaptive_diversity
from jaxadv.training import Metrics, Phase
from jaxadv.types import Array


def adp(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    entropy: float = 2.0,
    volume: float = 0.5,
) -> Phase:
    """The phase Σ CE − λ (α H + β log V), λ the run's setting "strength"; 1 is the paper's.

    entropy, volume: α and β, of the entropy of the mean prediction and of the volume spanned by the
        members' predictions of the wrong classes.

    Raises:
        UserError: if there are no two members.
    """
    if ensemble.size < 2:
        raise UserError(f"ADP of {ensemble.size} member(s): give at least 2")

    def penalty(step: Step) -> tuple[Array, Metrics]:
        promoted = adaptive_diversity(
            step.outputs.logits, step.batch.labels, entropy=entropy, volume=volume
        )
        diversity = jnp.mean(promoted)
        return -step.scalar(STRENGTH) * diversity, {"diversity": diversity}

    return regularised(ensemble, optimizer, penalty)
