"""What most studies measure of trained runs: natural images, then every attack."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from experiments.frame import parts
from experiments.frame.grid import Keys
from experiments.frame.job import Job
from experiments.frame.measure import natural as of_natural
from experiments.frame.measure.predictions import attacked
from experiments.frame.parts import Measured
from jaxadv.ensemble import Ensemble
from jaxadv.training import State


def measured(
    job: Job[Any],
    state: State,
    *,
    ensemble: Ensemble | None = None,
    runs: Sequence[Keys] | None = None,
    natural: Callable[[Job[Any], Ensemble, State, Sequence[Keys]], Measured] = of_natural.natural,
    with_features: bool = False,
    **options: Any,
) -> Measured:
    """A cohort's runs on natural images, then under every attack, each a part of its own.

    ensemble, runs: of the state, if not the cohort's. natural: what is measured on natural images.
    with_features: score the features under the first attack too. options: of `attacked`.
    """
    of = ensemble or job.ensemble, state, runs or job.runs()
    found = [job.part("natural", partial(natural, job, *of))]
    for number, trial in enumerate(job.trials):
        more = {**options, "with_features": with_features and number == 0}
        found.append(job.part(trial.title, partial(attacked, trial, job, *of, **more)))
    return parts.together(found).under(job.cohort.name)
