"""From predictions to rows: what the images of each source do to each model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxadv import metrics
from jaxadv.evaluation import Predictions
from jaxadv.matrix.sources import Name, Source
from jaxadv.metrics import Rate
from jaxadv.results import Row


def rows_of(
    found: Predictions,
    names: Sequence[Name],
    sources: Sequence[Source],
    radii: Sequence[float],
    targets: np.ndarray | None,
) -> list[Row]:
    """Rows of every model as it is, then for each radius those of each source.

    targets: `[N]`, the classes that images were to be taken for, if any.
    """
    rows = _clean_rows(found, names)
    for a, radius in enumerate(radii):
        for s, source in enumerate(sources):
            rows += _source_rows(found, (a, s), source, names, targets, radius)
    return rows


def images_of(found: Predictions, sources: Sequence[Source]) -> dict[str, np.ndarray]:
    """For each source's name `[seeds, A, K, …]`, the images that were kept."""
    images: dict[str, list[np.ndarray]] = {}
    for s, source in enumerate(sources):
        images.setdefault(source.name, []).append(np.asarray(found.images[:, s]))
    return {name: np.stack(each) for name, each in images.items()}


def _clean_rows(found: Predictions, names: Sequence[Name]) -> list[Row]:
    wrong = metrics.wrong(found.clean, found.labels)
    return [
        _row("clean_accuracy", metrics.rate(1 - each), target=name, target_seed=seed)
        for each, (name, seed) in zip(wrong, names, strict=True)
    ]


def _source_rows(
    found: Predictions,
    place: tuple[int, int],
    source: Source,
    names: Sequence[Name],
    targets: np.ndarray | None,
    eps: float,
) -> list[Row]:
    """What the images of one source at one radius do to every model that was not attacked."""
    scores = found.adversarial[place]
    clean, wrong = (metrics.wrong(p, found.labels) for p in (found.clean, scores))
    hit = wrong if targets is None else 1 - metrics.wrong(scores, targets)
    fooled, right = metrics.fooled(hit, source.members), 1 - np.max(clean[list(source.members)], 0)
    at = {"source": source.name, "seed": source.seed, "eps": eps}
    rows = [
        _row("success_rate", metrics.rate(fooled), **at),
        _row("success_rate_clean_correct", metrics.rate(fooled, right), **at),
    ]
    for target, (name, seed) in enumerate(names):
        if target in source.members:
            continue
        to = {**at, "target": name, "target_seed": seed}
        plain = metrics.transfer_rate(fooled, hit[target])
        strict = metrics.transfer_rate_clean_correct(fooled, hit[target], 1 - right, clean[target])
        rows.append(_row("transfer_rate", plain, **to))
        rows.append(_row("transfer_rate_clean_correct", strict, **to))
        rows.append(_row("error_rate", metrics.rate(wrong[target]), **to))
    return rows


def _row(metric: str, rate: Rate, **keys: Any) -> Row:
    return {"metric": metric, "value": rate.value, "n": rate.n, **keys}
