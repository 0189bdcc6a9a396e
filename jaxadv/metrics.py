"""Pure reductions of predictions to rates, and of seeds to intervals.

Every rate carries its count. A rate of nothing, 0/0, is None: neither 0 nor 1 would be true.

A network that diverged predicts no class: it is neither right nor wrong. From `wrong` on this is
NaN, beside 0 and 1, and NaN is whatever hangs on it, as whether every member errs where one has no
class. A rate is None as soon as one of the examples that it is of, or may be of, is NaN: over the
others it would answer another question. So None of `n` 0 is 0/0, and None of more is unknown.
Whether a member is right is `1 - wrong`.
"""

from collections.abc import Sequence

import numpy as np

from jaxadv.checks import numbers
from jaxadv.data.dataset import check_labels
from jaxadv.detection import Detection, detection, disagreement
from jaxadv.errors import UserError
from jaxadv.intervals import (
    Fit,
    Interval,
    Line,
    interval,
    mean_line,
    paired_difference,
    polynomial_fit,
)
from jaxadv.members import check_indices
from jaxadv.rates import Rate, rate, where_known, whether
from jaxadv.types import Array

__all__ = [
    "NO_CLASS",
    "Detection",
    "Fit",
    "Interval",
    "Line",
    "Rate",
    "detection",
    "disagreement",
    "ensemble_wrong",
    "fooled",
    "interval",
    "mean_line",
    "paired_difference",
    "pathway_rates",
    "polynomial_fit",
    "predicted",
    "rate",
    "transfer_rate",
    "transfer_rate_clean_correct",
    "wrong",
]

NO_CLASS = -1
"""What is predicted where scores are not finite.

>>> from jaxadv import metrics
>>> metrics.predicted([[float("nan"), 1.0]]).tolist() == [metrics.NO_CLASS]
True
"""


def predicted(probabilities: Array) -> np.ndarray:
    """The most probable class, the first if several are: `[..., N, C]` gives `[..., N]`.

    Logits will do as well, since their order is that of the probabilities. It is `NO_CLASS`, −1,
    where a score is NaN or the largest is not finite: a softmax would be NaN there, which `argmax`
    would call class 0.

    >>> from jaxadv import metrics
    >>> metrics.predicted([[0.1, 0.9], [0.7, 0.3], [float('nan'), 1.0]]).tolist()
    [1, 0, -1]

    Raises:
        UserError: if they are no scores of each class.
    """
    scores = np.asarray(numbers("scores", probabilities, "give each class's, [N, C]"))
    if scores.ndim < 2 or scores.dtype.kind == "b":
        raise UserError(
            f"scores of shape {scores.shape} and type {scores.dtype}: give each class's, [N, C]"
        )
    has_class = np.isfinite(scores.max(axis=-1, initial=-np.inf))
    return np.where(has_class, scores.argmax(axis=-1) if scores.shape[-1] else 0, NO_CLASS)


def wrong(probabilities: Array, labels: Array) -> Array:
    """Whether the most probable class is not the label: `[..., N, C]` gives `[..., N]`.

    Booleans. If some examples have no class, see `predicted`, the result is of floats: 0, 1, and
    NaN for these.

    >>> from jaxadv import metrics
    >>> metrics.wrong([[0.1, 0.9], [0.7, 0.3]], [1, 1]).tolist()
    [False, True]

    Raises:
        UserError: if they are no scores of each class, or the labels no class indices `[N]` of
            these.
    """
    classes = predicted(probabilities)
    scores = np.asarray(probabilities)
    labels = numbers("labels", labels, "give class indices, whole numbers from 0")
    if labels.shape != scores.shape[-2:-1]:
        raise UserError(
            f"labels of shape {labels.shape} for scores of shape {scores.shape}: give one "
            f"class index for each of {scores.shape[-2]} examples"
        )
    check_labels(labels, scores.shape[-1])
    return where_known(classes != np.asarray(labels), classes != NO_CLASS)


def fooled(wrong_members: Array, members: Sequence[int]) -> Array:
    """Whether every member of a source errs: `[M, N]` gives `[N]`, NaN where one of them is.

    members: the numbers of the source's members, from 0.

    >>> from jaxadv import metrics
    >>> metrics.fooled([[True, True], [True, False]], [0, 1]).tolist()
    [True, False]

    Raises:
        UserError: if a member is none of the M, or these are not whether members are wrong.
    """
    wrong_of = whether(wrong_members, "wrong members")
    if wrong_of.ndim != 2:
        raise UserError(f"wrong members of shape {wrong_of.shape}: give [M, N]")
    check_indices(members, len(wrong_of))
    return _every(*wrong_of[list(members)])


def _every(*events: np.ndarray) -> np.ndarray:
    """Whether all hold; NaN where one of them is."""
    return whether(np.min(events, axis=0), "events")


def transfer_rate(source_wrong: Array, target_wrong: Array) -> Rate:
    """P(target wrong on x' | source wrong on x'), of `[N]` each (Wiedeman & Wang, Patterns 2022).

    >>> from jaxadv import metrics
    >>> metrics.transfer_rate([True, True, False], [True, False, True])
    Rate(value=0.5, n=2)

    Raises:
        UserError: if they are not boolean, or of different lengths.
    """
    return rate(target_wrong, source_wrong)


def transfer_rate_clean_correct(
    source_wrong: Array,
    target_wrong: Array,
    source_clean_wrong: Array,
    target_clean_wrong: Array,
) -> Rate:
    """As `transfer_rate`, but of examples that both networks had right before the attack.

    So every error in it was made by the attack; Wiedeman & Wang's rate also counts images that
    either network gets wrong unperturbed. All four are `[N]`.

    >>> from jaxadv import metrics
    >>> source_wrong, target_wrong = [True, True], [True, False]
    >>> right, one_wrong = [False, False], [True, False]  # whether they were wrong before
    >>> metrics.transfer_rate_clean_correct(source_wrong, target_wrong, right, one_wrong)
    Rate(value=0.0, n=1)

    Raises:
        UserError: if they are not boolean, or of different lengths.
    """
    source, source_clean, target_clean = (
        whether(each, "wrong") for each in (source_wrong, source_clean_wrong, target_clean_wrong)
    )
    if not source.shape == source_clean.shape == target_clean.shape:
        shapes = f"{source.shape}, {source_clean.shape}, {target_clean.shape}"
        raise UserError(f"wrong of shapes {shapes}: give [N] all, of one N")
    return rate(target_wrong, _every(source, 1 - source_clean, 1 - target_clean))


def ensemble_wrong(probabilities: Array, labels: Array) -> Array:
    """Whether the mean of the members' probabilities errs: `[M, N, C]` gives `[N]`.

    NaN where a member has no class, since the mean of the others would be another ensemble's.

    >>> import numpy as np
    >>> from jaxadv import metrics
    >>> probabilities = np.array([[[0.9, 0.1]], [[0.4, 0.6]]])  # two members, one image
    >>> metrics.ensemble_wrong(probabilities, np.array([0])).tolist()
    [False]

    Raises:
        UserError: if they are no probabilities `[M, N, C]`, or the labels no class indices `[N]`.
    """
    p = np.asarray(numbers("probabilities", probabilities, "give [M, N, C]"))
    if p.ndim != 3 or len(p) == 0 or p.dtype == bool:
        raise UserError(f"probabilities of shape {p.shape} and type {p.dtype}: give [M, N, C]")
    return wrong(np.mean(p, axis=0), labels)


def pathway_rates(wrong_members: Array, errors: Array) -> dict[str, Rate]:
    """Rates of N images that M pathways reconstruct: `[M, N]` wrong, `[M, N]` squared errors.

    By their published names. In Wiedeman & Wang, Patterns 2022: "any_correct" ("DNA", some pathway
    is right) and "average_correct" ("DNA (avg)", the mean over pathways). In their preprint:
    "dual_correct" (all are right), "either_correct" (some are, some not), "dual_incorrect" (none
    is), and "det_correct" (right is the pathway whose reconstruction is nearest to the image).
    All values are None if some member of some image is NaN; "det_correct" also if an error is not
    finite.

    >>> import numpy as np
    >>> from jaxadv import metrics
    >>> rates = metrics.pathway_rates([[True, False], [False, False]], [[0.2, 0.1], [0.3, 0.4]])
    >>> rates['any_correct'], rates['det_correct']
    (Rate(value=1.0, n=2), Rate(value=0.5, n=2))

    Raises:
        UserError: if the two are of different shapes, or not whether members are wrong and numbers.
    """
    right = 1 - whether(wrong_members, "wrong members")
    errors = numbers("errors", errors, "give squared errors [M, N]")
    if right.ndim != 2 or right.shape != errors.shape:
        raise UserError(f"wrong {right.shape}, errors {errors.shape}: give [M, N] both")
    some, every = right.max(axis=0), right.min(axis=0)
    errors = np.asarray(errors)
    nearest = np.take_along_axis(right, errors.argmin(axis=0)[None], axis=0)[0]
    compared = np.isfinite(errors).all(axis=0)
    return {
        "any_correct": rate(some),
        "average_correct": rate(right.ravel())._replace(n=right.shape[1]),
        "dual_correct": rate(every),
        "either_correct": rate(some - every),
        "dual_incorrect": rate(1 - some),
        "det_correct": rate(where_known(nearest, compared & ~np.isnan(some))),
    }
