"""Members whose features do not predict one another (Wiedeman & Wang, Patterns 2022, eq. 5)."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.defences.regularised import (
    STRENGTH,
    Shown,
    Step,
    batch_images,
    no_penalty,
    regularised,
)
from jaxadv.ensemble import Ensemble
from jaxadv.losses.classification import Joined
from jaxadv.losses.correlation import ensemble_correlation, sketch
from jaxadv.losses.tasks import Task, classify
from jaxadv.training import Metrics, Phase, Trainable, is_parameter
from jaxadv.types import Array


def ramp(epochs: float = 0, delay: float = 0) -> Callable[[Array], Array]:
    """A schedule of λ: zero for `delay` epochs, then linear to full strength over `epochs`.

    At full strength from the first step, as published (0, 0), one member's features die in some
    runs: before the classes are learned, features that predict nothing are the cheapest.

    >>> from jaxadv import defences
    >>> print(defences.ramp(4, delay=2)(4.0))  # after four epochs
    0.6
    """
    return lambda epoch: jnp.clip((epoch + 1 - delay) / (epochs + 1), 0, 1)


_AS_PUBLISHED = ramp()


def decorrelation(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    task: Task = classify,
    joined: Joined = "sum",
    schedule: Callable[[Array], Array] = _AS_PUBLISHED,
    sketch_width: int = 0,
    shown: Shown = batch_images,
    trainable: Trainable = is_parameter,
    **correlation: Any,
) -> Phase:
    """The phase task1 + task2 + λ L_R, λ the run's setting "strength" times `schedule(epoch)`.

    On a CPU, where runs follow one another, one with λ = 0 never computes L_R and costs what plain
    training costs; under `vmap` every run costs what the dearest does. A lone member has nothing to
    be decorrelated from.

    task, joined, shown, trainable: as for `regularised`; the task is `classify` (eq. 5) or, for the
        dual-neck autoencoder, `reconstruct` (eq. 9).
    sketch_width: correlate the features on so many random directions, fresh each step; 0, as
        published, correlates the features themselves.
    correlation: `regress`, `ridge`, `eta`, `eps`, `total` of `losses.ensemble_correlation`.
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        strength = step.scalar(STRENGTH) * schedule(step.epoch)

        def correlation_of(features: tuple[Array, ...]) -> Array:
            chosen = sketch(features, sketch_width, step.key) if sketch_width else features
            return strength * ensemble_correlation(chosen, **correlation)

        # Not a product with 0, which would turn a NaN of L_R into a NaN of the plain run.
        plain = lambda features: jnp.zeros(())  # noqa: E731
        return lax.cond(strength > 0, correlation_of, plain, step.outputs.features), {}

    return regularised(
        ensemble,
        optimizer,
        penalty if ensemble.size > 1 else no_penalty,
        task=task,
        joined=joined,
        shown=shown,
        trainable=trainable,
    )
