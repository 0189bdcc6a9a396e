"""Pure reductions of predictions to rates, and of seeds to intervals.

Every rate carries its count. A rate of nothing, 0/0, is None: neither 0 nor 1 would be true.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxadv.checks import check_single, numbers
from jaxadv.data.dataset import check_labels
from jaxadv.errors import UserError
from jaxadv.intervals import (  # noqa: F401 (names of this module too)
    Fit,
    Interval,
    Line,
    interval,
    mean_line,
    paired_difference,
    polynomial_fit,
)
from jaxadv.members import check_indices
from jaxadv.types import Array


class Rate(NamedTuple):
    """A share and the number of examples it is a share of; None of 0."""

    value: float | None
    n: int


def _whether(value: ArrayLike, name: str) -> np.ndarray:
    """A boolean array, of zeros and ones too.

    Raises:
        UserError: if it holds anything else: probabilities would all count as true.
    """
    found = np.asarray(numbers(name, value, "give whether it holds, true or false"))
    if found.dtype != bool and not (found.dtype.kind in "iuf" and np.isin(found, (0, 1)).all()):
        raise UserError(f"{name} of type {found.dtype}: give whether it holds, true or false")
    return found.astype(bool)


def rate(event: ArrayLike, given: ArrayLike | None = None) -> Rate:
    """P(event | given) over boolean arrays `[N]`.

    Raises:
        UserError: if they are not boolean, or of different lengths.
    """
    event = _whether(event, "event")
    given = np.ones_like(event) if given is None else _whether(given, "given")
    if event.ndim != 1 or event.shape != given.shape:
        raise UserError(f"events {event.shape}, given {given.shape}: give [N] both, of one N")
    count = int(given.sum())
    return Rate(float(event[given].mean()) if count else None, count)


def wrong(probabilities: Array, labels: Array) -> Array:
    """Whether the most probable class is not the label: `[..., N, C]` gives `[..., N]`.

    Logits will do, their order is that of the probabilities. Where one is NaN nothing is predicted,
    which is wrong too.

    Raises:
        UserError: if they are no scores of each class, or the labels no class indices `[N]` of
            these.
    """
    scores = np.asarray(numbers("scores", probabilities, "give each class's, [N, C]"))
    if scores.ndim < 2 or scores.dtype.kind == "b":
        raise UserError(
            f"scores of shape {scores.shape} and type {scores.dtype}: give each class's, [N, C]"
        )
    labels = numbers("labels", labels, "give class indices, whole numbers from 0")
    if labels.shape != scores.shape[-2:-1]:
        raise UserError(
            f"labels of shape {labels.shape} for scores of shape {scores.shape}: give one "
            f"class index for each of {scores.shape[-2]} examples"
        )
    check_labels(labels, scores.shape[-1])
    undecided = np.isnan(scores.max(axis=-1, initial=-np.inf))
    return (scores.argmax(axis=-1) != np.asarray(labels)) | undecided


def fooled(wrong_members: Array, members: Sequence[int]) -> Array:
    """Whether every member of a source errs: `[M, N]` gives `[N]`.

    Raises:
        UserError: if a member is none of the M.
    """
    wrong_of = _whether(wrong_members, "wrong members")
    if wrong_of.ndim != 2:
        raise UserError(f"wrong members of shape {wrong_of.shape}: give [M, N]")
    check_indices(members, len(wrong_of))
    return np.all(wrong_of[list(members)], axis=0)


def transfer_rate(source_wrong: Array, target_wrong: Array) -> Rate:
    """P(target wrong on x' | source wrong on x'), Wiedeman & Wang's definition."""
    return rate(target_wrong, source_wrong)


def transfer_rate_clean_correct(
    source_wrong: Array,
    target_wrong: Array,
    source_clean_wrong: Array,
    target_clean_wrong: Array,
) -> Rate:
    """As `transfer_rate`, of examples that both had right before: errors made by the attack alone.

    Wiedeman & Wang's rate also counts images that either network gets wrong unperturbed.
    """
    source, source_clean, target_clean = (
        _whether(each, "wrong") for each in (source_wrong, source_clean_wrong, target_clean_wrong)
    )
    if not source.shape == source_clean.shape == target_clean.shape:
        shapes = f"{source.shape}, {source_clean.shape}, {target_clean.shape}"
        raise UserError(f"wrong of shapes {shapes}: give [N] all, of one N")
    return rate(target_wrong, source & ~source_clean & ~target_clean)


def ensemble_wrong(probabilities: Array, labels: Array) -> Array:
    """Whether the mean of the members' probabilities errs: `[M, N, C]` gives `[N]`."""
    p = np.asarray(numbers("probabilities", probabilities, "give [M, N, C]"))
    if p.ndim != 3 or len(p) == 0 or p.dtype == bool:
        raise UserError(f"probabilities of shape {p.shape} and type {p.dtype}: give [M, N, C]")
    return wrong(np.mean(p, axis=0), labels)


def disagreement(probabilities: Array) -> Array:
    """How far the members' predictions are apart; `[M, N, C]` gives `[N]`, from 0 to 1.

    The mean over the pairs of half the summed absolute differences: the share of probability that
    one member would have to move to agree. Adam et al. (2019, 3.2) compare it with a threshold.

    Raises:
        UserError: if there are no two members.
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
    return np.mean([np.abs(p[i] - p[j]).sum(axis=-1) / 2 for i, j in pairs], axis=0)


class Detection(NamedTuple):
    """How well a score tells attacked images from natural ones; None where there are none.

    auc: area under the ROC curve. rate: share of attacked images found at the threshold that sounds
    `alarms` of the natural ones. n: attacked images. raised: share of the natural images on which
    that threshold does raise an alarm.
    """

    auc: float | None
    rate: float | None
    n: int
    raised: float | None = None


def detection(natural: ArrayLike, attacked: ArrayLike, alarms: float = 0.05) -> Detection:
    """Detection by a score that rises with suspicion: `[N]` of natural, `[K]` of attacked images.

    The threshold is the least that raises an alarm on no more than `alarms` of these same natural
    images; where scores tie it raises fewer. Scores that are NaN, as those of networks that
    diverged, detect nothing: None.

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


def pathway_rates(wrong_members: Array, errors: Array) -> dict[str, Rate]:
    """What several reconstructions of one image are worth: `[M, N]` wrong, `[M, N]` squared errors.

    By their published names: "any_correct" (Patterns 2022, "DNA"), "average_correct" ("DNA (avg)"),
    and of the preprint "dual_correct" (all right), "either_correct" (some right, some not),
    "dual_incorrect", and "det_correct": right is the one nearest to the image shown.
    """
    right = ~_whether(wrong_members, "wrong members")
    errors = numbers("errors", errors, "give squared errors [M, N]")
    if right.ndim != 2 or right.shape != errors.shape:
        raise UserError(f"wrong {right.shape}, errors {errors.shape}: give [M, N] both")
    some, every = right.any(axis=0), right.all(axis=0)
    nearest = np.asarray(errors).argmin(axis=0)
    return {
        "any_correct": rate(some),
        "average_correct": Rate(float(right.mean()), right.shape[1]),
        "dual_correct": rate(every),
        "either_correct": rate(some & ~every),
        "dual_incorrect": rate(~some),
        "det_correct": rate(np.take_along_axis(right, nearest[None], axis=0)[0]),
    }
