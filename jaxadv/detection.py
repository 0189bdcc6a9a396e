"""Detection of attacks by how far members' predictions are apart (Adam et al. 2019, 3.2)."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxadv.checks import check_single, numbers
from jaxadv.errors import UserError
from jaxadv.types import Array


def disagreement(probabilities: Array) -> Array:
    """How far the members' predictions are apart; `[M, N, C]` gives `[N]`, from 0 to 1.

    Of two members it is half the summed absolute difference of their probabilities: the share of
    probability that one would have to move to agree. Of more it is the mean over all pairs. Adam et
    al. (2019, 3.2) compare it with a threshold. NaN where a probability is not finite.

    >>> import numpy as np
    >>> from jaxadv import metrics
    >>> print(metrics.disagreement(np.array([[[0.9, 0.1]], [[0.4, 0.6]]])))
    [0.5]

    Raises:
        UserError: if there are no two members, or these are no numbers `[M, N, C]`.
    """
    found = numbers("probabilities", probabilities, "give [M, N, C]")
    if found.ndim != 3 or found.dtype == bool:
        raise UserError(
            f"probabilities of shape {found.shape} and type {found.dtype}: give [M, N, C]"
        )
    p = np.asarray(found, np.float64)
    if len(p) < 2:
        raise UserError(f"disagreement of {len(p)} member(s): give at least 2")
    pairs = combinations(range(len(p)), 2)
    with np.errstate(invalid="ignore"):  # infinity less infinity is NaN, as it should be
        apart = np.mean([np.abs(p[i] - p[j]).sum(axis=-1) / 2 for i, j in pairs], axis=0)
    return np.where(np.isfinite(apart), apart, np.nan)


class Detection(NamedTuple):
    """How well a score tells attacked images from natural ones; None where it is not known.

    auc: area under the ROC curve.
    rate: the share of attacked images that raise an alarm, at the threshold `detection` chooses.
    n: how many attacked images there are.
    raised: the share of natural images that raise an alarm at that threshold.

    >>> from jaxadv import metrics
    >>> found = metrics.detection([0.0, 0.1], [0.2, 0.3])
    >>> found.auc, found.n  # every attacked image scores higher than every natural one
    (1.0, 2)
    """

    auc: float | None
    rate: float | None
    n: int
    raised: float | None = None


def detection(natural: ArrayLike, attacked: ArrayLike, alarms: float = 0.05) -> Detection:
    """Detection by a score that rises with suspicion: `[N]` of natural, `[K]` of attacked images.

    alarms: the share of natural images, from 0 to 1, on which an alarm is allowed. The threshold is
        the least that raises no more on these same images; where scores tie it raises fewer.

    The rates are None if a score is NaN, as those of networks that diverged.

    >>> from jaxadv import metrics
    >>> metrics.detection([0.0, 0.1, 0.2, 0.3], [0.25, 0.5], 0.25)
    Detection(auc=0.875, rate=1.0, n=2, raised=0.25)

    Raises:
        UserError: if `alarms` is no share, or the scores no lists.
    """
    share = "a share between 0 and 1"
    check_single("false alarms", alarms, f"give {share}")
    if alarms > 1:
        raise UserError(f"false alarms {alarms}: give {share}")
    natural, attacked = (
        np.asarray(numbers("scores", scores, "give [N] and [K]"), np.float64)
        for scores in (natural, attacked)
    )
    if natural.ndim != 1 or attacked.ndim != 1:
        raise UserError(f"scores of shapes {natural.shape}, {attacked.shape}: give [N] and [K]")
    if len(natural) == 0 or len(attacked) == 0 or np.isnan([natural.max(), attacked.max()]).any():
        return Detection(None, None, len(attacked))
    ordered = np.sort(natural)
    below, above = (np.searchsorted(ordered, attacked, side) for side in ("left", "right"))
    auc = float(np.mean(below + above) / 2 / len(natural))  # ties count half
    allowed = int(alarms * len(natural) + 1e-9)
    threshold = ordered[-1 - allowed] if allowed < len(natural) else -np.inf
    found, raised = (float(np.mean(scores > threshold)) for scores in (attacked, natural))
    return Detection(auc, found, len(attacked), raised)
