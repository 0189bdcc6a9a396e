"""From long-form rows to the numbers a figure shows; pure, so that they can be tested."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from jaxadv.evaluation import ALL
from jaxadv.metrics import Interval
from jaxadv.results import Row, over_seeds, select

Setting: TypeAlias = tuple[str | None, str | None, str | None]  # model, attack, ball


def distinct(rows: Iterable[Row], *keys: str) -> list[Any]:
    """Values of a key, or tuples of several keys' values, in order of appearance; None if absent.

    A row that has none of the keys is passed over.
    """
    found: dict[Any, None] = {}
    for row in rows:
        values = tuple(row.get(key) for key in keys)
        if any(value is not None for value in values):
            found[values if len(keys) > 1 else values[0]] = None
    return list(found)


def attacked(rows: Iterable[Row], metric: str) -> list[Row]:
    """Rows of a metric measured under an attack of some radius; each names its defence."""
    chosen = [row for row in select(rows, metric=metric) if row.get("eps") is not None]
    return [{"defence": "no defence", **row} for row in chosen]


def single_source(rows: Iterable[Row]) -> list[Row]:
    """Rows not crafted on all members at once: of those, transfer between members has no sense."""
    return [row for row in rows if row.get("source") != ALL]


def within(rows: Iterable[Row], setting: Setting) -> list[Row]:
    """Rows of one (model, attack, ball)."""
    model, attack, ball = setting
    return select(rows, model=model, attack=attack, ball=ball)


class Point(NamedTuple):
    """A radius and the interval over seeds there; None where no seed has a value."""

    eps: float
    value: Interval | None


def against_eps(rows: Iterable[Row]) -> list[Point]:
    """For each radius, ascending: the mean over a seed's rows, then the interval over seeds."""
    rows = list(rows)
    return [Point(eps, over_seeds(rows, eps=eps)) for eps in sorted(distinct(rows, "eps"))]


class Cloud(NamedTuple):
    """A point a trained pair: squared parameter distances and a metric, both `[P]`."""

    distance: list[float]
    value: list[float]


def against_distance(rows: Iterable[Row]) -> dict[int, Cloud]:
    """For each seed, ascending by distance: the mean over a pair's rows, both directions say."""
    rows = [r for r in rows if r.get("distance") is not None and r["value"] is not None]
    clouds: dict[int, Cloud] = {}
    for seed, distance in sorted(distinct(rows, "seed", "distance")):
        mean = over_seeds(rows, seed=seed, distance=distance)
        if mean is not None:
            cloud = clouds.setdefault(seed, Cloud([], []))
            cloud.distance.append(distance)
            cloud.value.append(mean.mean)
    return clouds
