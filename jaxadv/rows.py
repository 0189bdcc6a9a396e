"""Rows in long form: which to take, and means over seeds. docs/rows.md says what they hold."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from jaxadv.intervals import Interval, interval

Row: TypeAlias = dict[str, Any]
"""One number and what it is of, by keys; docs/rows.md says which there are.

>>> from jaxadv import results
>>> row: results.Row = {"metric": "clean_accuracy", "value": 0.98, "n": 360, "seed": 0}
>>> results.select([row], metric="clean_accuracy")[0]["value"]
0.98
"""


def select(rows: Iterable[Row], **where: Any) -> list[Row]:
    """The rows whose keys have these values. A value of None asks that the key be absent.

    >>> from jaxadv import results
    >>> rows = [{"eps": 0.1, "value": 0.5}, {"eps": 0.2, "value": 0.75}, {"value": 0.0}]
    >>> results.select(rows, eps=0.2), results.select(rows, eps=None)
    ([{'eps': 0.2, 'value': 0.75}], [{'value': 0.0}])
    """
    return [row for row in rows if all(row.get(key) == value for key, value in where.items())]


def unknown(row: Row) -> bool:
    """Whether a row has no value though something was measured, as of a network that diverged.

    Where nothing was measured, 0/0, the row's `n` is 0 and this is False.

    >>> from jaxadv import results
    >>> results.unknown({"value": None, "n": 360}), results.unknown({"value": None, "n": 0})
    (True, False)
    """
    return row["value"] is None and row.get("n", 0) > 0


def by_seed(rows: Iterable[Row]) -> dict[int, float]:
    """One value a seed: the mean over the seed's rows (over both directions of transfer, say).

    Rows of 0/0 are passed over. A seed of which one row is unknown is left out.

    >>> from jaxadv import results
    >>> rows = [{"seed": 0, "value": 0.25}, {"seed": 0, "value": 0.75}, {"seed": 1, "value": 1.0}]
    >>> results.by_seed(rows)
    {0: 0.5, 1: 1.0}
    """
    rows = list(rows)
    lost = {row["seed"] for row in rows if unknown(row)}
    seeds: dict[int, list[float]] = {}
    for row in rows:
        if row["value"] is not None and row["seed"] not in lost:
            seeds.setdefault(row["seed"], []).append(row["value"])
    return {seed: float(np.mean(values)) for seed, values in sorted(seeds.items())}


def over_seeds(rows: Iterable[Row], **where: Any) -> Interval | None:
    """Mean and 95 % interval over seeds of the rows that `select` gives for `where`.

    Its `n` counts the seeds that have a value; None if no seed has.

    >>> from jaxadv import results
    >>> rows = [{"seed": seed, "value": value} for seed, value in enumerate([0.2, 0.3, 0.4])]
    >>> print(results.over_seeds(rows))
    0.300 ± 0.248
    """
    return interval(list(by_seed(select(rows, **where)).values()))
