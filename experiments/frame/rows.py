"""Predictions and features of trained runs to rows in long form."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from jaxadv import metrics
from jaxadv.attacks import Flags
from jaxadv.evaluation import ALL, Predictions
from jaxadv.evaluation.sources import Sources
from jaxadv.metrics import Rate
from jaxadv.results import Row
from jaxadv.types import Array

Keys = Mapping[str, Any]
NONFINITE = "nonfinite_predictions"  # the metric that tells which runs diverged
USUAL_ALARMS = 0.05  # share of natural images on which a detector may raise an alarm


def finite(value: Any) -> float | None:
    """A number as rows hold it: null for what is not finite, as of a network that diverged."""
    return float(value) if np.isfinite(value) else None


def row(metric: str, measured: Rate, **keys: Any) -> Row:
    """One row: what was measured, of how many examples, and of what."""
    return {"metric": metric, "value": measured.value, "n": measured.n, **keys}


def clean_rows(probabilities: Array, labels: Array, keys: Keys) -> Iterator[Row]:
    """Clean accuracy of each member, `[M, N, C]`, and of the mean-probability ensemble.

    And how many images each member has no class for.
    """
    for index, wrong in enumerate(metrics.wrong(probabilities, labels), start=1):
        yield row("clean_accuracy", metrics.rate(1 - wrong), **keys, target=str(index))
    joint = metrics.ensemble_wrong(probabilities, labels)
    yield row("clean_accuracy", metrics.rate(1 - joint), **keys, target="ensemble")
    yield from nonfinite_rows(probabilities, keys)


def nonfinite_rows(scores: Array, keys: Keys) -> Iterator[Row]:
    """The share of examples that each member has no class for, scores `[M, N, C]`.

    As of a network that diverged. Rates of that member are null then: see `metrics`.
    """
    for index, classes in enumerate(metrics.predicted(scores), start=1):
        share = metrics.rate(classes == metrics.NO_CLASS)
        yield row(NONFINITE, share, **keys, target=str(index))


def attack_rows(
    adversarial: Array,
    clean: Array,
    labels: Array,
    sources: Sources,
    keys: Keys,
    alarms: Sequence[float] = (USUAL_ALARMS,),
) -> Iterator[Row]:
    """Rates of one attack setting: probabilities `[S, M, N, C]`, and those of the clean images.

    For every source: success_rate (every attacked member wrong), also of images they all had right,
    and for every member error_rate, and how many examples it has no class for.
    For a single source and every other member: both transfer rates. Of several members: how well
    their disagreement tells images the source gets wrong, before or not, from natural ones, and of
    a single source's those alone that another member gets wrong too ("_transferred").
    """
    clean_wrong = metrics.wrong(clean, labels)
    apart = metrics.disagreement(clean) if len(clean) > 1 else None
    for number, (source, members) in enumerate(sources.items()):
        probabilities = adversarial[number]
        wrong = metrics.wrong(probabilities, labels)
        fooled = metrics.fooled(wrong, members)
        at = {**keys, "source": source}
        yield row("success_rate", metrics.rate(fooled), **at)
        right_before = np.min(1 - clean_wrong[list(members)], axis=0)  # NaN if one is
        success = metrics.rate(fooled, right_before)
        yield row("success_rate_clean_correct", success, **at)
        joint = metrics.ensemble_wrong(probabilities, labels)
        yield row("error_rate", metrics.rate(joint), **at, target="ensemble")
        yield from nonfinite_rows(probabilities, at)
        if apart is not None:
            # NaN where a member has no class: of what may have fooled, so that nothing is known.
            seen = metrics.disagreement(probabilities)
            yield from _detection_rows(apart, seen[fooled != 0], alarms, at)
        for target in range(len(wrong)):
            to = {**at, "target": str(target + 1)}
            yield row("error_rate", metrics.rate(wrong[target]), **to)
            if source == ALL or target in members:
                continue
            plain = metrics.transfer_rate(fooled, wrong[target])
            yield row("transfer_rate", plain, **to)
            strict = metrics.transfer_rate_clean_correct(
                fooled, wrong[target], 1 - right_before, clean_wrong[target]
            )
            yield row("transfer_rate_clean_correct", strict, **to)
            if apart is not None:
                harmful = seen[(fooled != 0) & (wrong[target] != 0)]
                yield from _detection_rows(apart, harmful, alarms, to, "_transferred")


def pair_rows(
    run: Predictions,
    number: int,
    sources: Sources,
    keys: Keys,
    alarms: Sequence[float] = (USUAL_ALARMS,),
) -> Iterator[Row]:
    """`attack_rows` of one run at one radius, and R² of the features where it was measured."""
    adversarial = run.adversarial[number]
    yield from attack_rows(adversarial, run.clean, run.labels, sources, keys, alarms)
    for s, source in enumerate(sources):
        scores = {name: value[number, s] for name, value in run.extras.items()}
        yield from feature_rows(scores, len(run.labels) // 2, {**keys, "source": source})


def flag_rows(flags: Flags, keys: Keys) -> Iterator[Row]:
    """Shares of examples `[N]` whose gradient was not finite, or exactly 0, on an attack's way."""
    yield row("nonfinite_gradients", metrics.rate(flags.nonfinite), **keys)
    yield row("zero_gradients", metrics.rate(flags.zero), **keys)


def _detection_rows(
    natural: Array, attacked: Array, alarms: Sequence[float], keys: Keys, of: str = ""
) -> Iterator[Row]:
    """detection_auc, and detection_rate at each share of false alarms; "raised": the real share."""
    found = [metrics.detection(natural, attacked, share) for share in alarms]
    yield row(f"detection_auc{of}", Rate(found[0].auc, found[0].n), **keys)
    for share, one in zip(alarms, found, strict=True):
        at = {**keys, "alarms": share, "raised": one.raised}
        yield row(f"detection_rate{of}", Rate(one.rate, one.n), **at)


def feature_rows(measured: Mapping[str, Array], n: int, keys: Keys) -> Iterator[Row]:
    """R² of every ordered pair of members, `[M, M]` each, as `features.feature_scores` has them.

    features_of: whose features, or in a metric of logits whose logits, are predicted.
    """
    for metric, scores in measured.items():
        for i, j in permutations(range(len(scores)), 2):
            of = {"features_of": str(j + 1), "from_features_of": str(i + 1)}
            yield {"metric": metric, "value": finite(scores[i, j]), "n": n, **keys, **of}
