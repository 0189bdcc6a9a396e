"""Members whose input gradients lie at a chosen angle (Adam et al. 2019, Algorithm 1)."""

import jax.numpy as jnp
import optax

from jaxadv.defences.regularised import Step, Updates, in_steps
from jaxadv.ensemble import Ensemble
from jaxadv.losses.gradients import (
    cosines,
    input_gradients,
    norm_gap,
    probability_gradient_norms,
)
from jaxadv.phases import Metrics
from jaxadv.training import Phase
from jaxadv.types import Array

# The scalars in which runs differ: weights of the mean cosine and of the mean squared cosine.
_COSINE, _SQUARED = "cosine", "squared_cosine"
GOALS = {
    "none": {_COSINE: 0.0, _SQUARED: 0.0},
    "parallel": {_COSINE: -1.0, _SQUARED: 0.0},
    "perpendicular": {_COSINE: 0.0, _SQUARED: 1.0},
    "antiparallel": {_COSINE: 1.0, _SQUARED: 0.0},
}
"""The angles at which members' gradients can be, and the scalars that ask for each.

>>> from jaxadv import defences
>>> defences.GOALS["perpendicular"]
{'cosine': 0.0, 'squared_cosine': 1.0}
"""


def gradient_alignment(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    updates: Updates = "alternating",
    matching: float = 1.0,
) -> list[Phase]:
    """The phases that turn every two members' input gradients towards the run's goal.

    The penalty is mean(a·d + b·d²) over pairs and examples, d the cosine of the true class's
    probability's gradients, a and b the run's scalars "cosine" and "squared_cosine": see `GOALS`.
    Adam et al. (2019, Algorithm 1). The phases report the mean "cosine".

    updates: see `Updates`.
    matching: weight of the mean squared difference of the gradients' norms. The papers draw the
        norms together in all their pairs, those without a goal too.

    d² is flat near its goal, where ±d is steep, and until the cross-entropies vanish they outweigh
    it. So for right angles in few epochs give b more than the paper's 1.

    >>> import optax
    >>> from jaxadv import defences, ensemble, models
    >>> pair = ensemble.stacked(models.fc(10))
    >>> phases = defences.gradient_alignment(pair, optax.adam(1e-3))
    >>> [phase.shares for phase in phases]  # a step for the classes, one for the angle, by one Adam
    [None, 0]

    Raises:
        UserError: other `updates`; in training, if there are no two members, or the runs lack a
            scalar.
    """

    def penalty(step: Step) -> tuple[Array, Metrics]:
        odds, gradients = input_gradients(ensemble, step.variables, *step.batch)
        d = cosines(gradients)
        gap = norm_gap(probability_gradient_norms(odds, gradients))
        aim = step.scalar(_COSINE) * jnp.mean(d) + step.scalar(_SQUARED) * jnp.mean(d**2)
        return aim + matching * gap, {"cosine": jnp.mean(d)}

    return in_steps(ensemble, optimizer, penalty, updates)
