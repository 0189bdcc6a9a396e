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
from jaxadv.phases import Metrics, Trainable
from jaxadv.training import Phase, is_parameter
from jaxadv.types import Array


def ramp(epochs: float = 0, delay: float = 0) -> Callable[[Array], Array]:
    """A schedule of λ: zero for `delay` epochs, then linear to full strength over `epochs`.

    Gives a function from the epochs done to a share of λ, from 0 to 1. As published (0, 0), λ is at
    full strength from the first step. In some runs one member's features then die: before the
    classes are learned, features that predict nothing are the cheapest.

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

    Wiedeman & Wang, Patterns 2022, eq. 5, with L_R of `losses.correlation_loss`. On a CPU, where
    runs follow one another, a run with λ = 0 never computes L_R and costs what plain training
    costs; under `vmap` every run costs what the dearest does. A lone member has nothing to be
    decorrelated from and is trained plainly.

    task, joined, shown, trainable: as for `regularised`; the task is `classify` (eq. 5) or, for the
        dual-neck autoencoder, `reconstruct` (eq. 9).
    sketch_width: correlate the features on so many random directions, fresh each step; 0, as
        published, correlates the features themselves.
    correlation: `regress`, `ridge`, `eta`, `eps`, `total` of `losses.ensemble_correlation`.

    >>> import jax, numpy as np, optax, flax.linen as nn
    >>> from jaxadv import data, defences, ensemble, models
    >>> pair = ensemble.stacked(models.from_linen(nn.Dense(3)))
    >>> zero = {"params": {"kernel": np.zeros((2, 4, 3)), "bias": np.zeros((2, 3))}}
    >>> batch, key = data.Dataset(np.ones((9, 4)), np.zeros(9, int)), jax.random.key(0)
    >>> phase = defences.decorrelation(pair, optax.adam(1e-3))
    >>> value, _ = jax.eval_shape(phase.loss, zero, batch, key, 0, {"strength": 0.05})
    >>> value.shape
    ()

    Raises:
        UserError: in training, if the runs have no "strength", a batch has too few images for a
            regression, or an option is none.
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
