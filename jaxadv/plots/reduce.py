"""From long-form rows to the numbers a figure shows; pure, so that they can be tested."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from jaxadv.evaluation import ALL
from jaxadv.metrics import Interval
from jaxadv.results import Row, over_seeds, select, unknown

Setting: TypeAlias = Mapping[str, Any]  # keys of rows and their values: what a panel shows


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


def across(rows: Iterable[Row], metric: str, x: str = "eps") -> list[Row]:
    """Rows of a metric that have the key `x`; each names its variant."""
    chosen = [row for row in select(rows, metric=metric) if row.get(x) is not None]
    return [{"variant": "no defence", **row} for row in chosen]


def settings_of(rows: Iterable[Row], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The distinct values of some keys, in order of appearance, as `select` takes them."""
    found = dict.fromkeys(tuple(row.get(key) for key in keys) for row in rows)
    return [dict(zip(keys, values, strict=True)) for values in found]


def single_source(rows: Iterable[Row]) -> list[Row]:
    """Rows not crafted on all members at once: of those, transfer between members has no sense."""
    return [row for row in rows if row.get("source") != ALL]


def members_of(rows: Iterable[Row]) -> list[str]:
    """The members that something was measured of, "1", "2", …"""
    found = {row["target"] for row in rows if "target" in row}
    return sorted(found - {"ensemble"}, key=lambda name: (len(name), name))


def sources_of(rows: Iterable[Row]) -> list[str]:
    """The members that were attacked one at a time."""
    found = {row["source"] for row in rows if "source" in row}
    return sorted(found - {ALL}, key=lambda name: (len(name), name))


class Point(NamedTuple):
    """A place on the horizontal axis and the interval over seeds there; None where no seed has one.

    lost: how many seeds have none though something was measured: of networks that diverged.
    """

    x: float
    value: Interval | None
    lost: int = 0


def against(rows: Iterable[Row], x: str = "eps") -> list[Point]:
    """For each value of the key `x`, ascending: the mean over a seed's rows, then over seeds."""
    rows = list(rows)
    places = {at: select(rows, **{x: at}) for at in sorted(distinct(rows, x))}
    return [Point(at, over_seeds(here), _unknown_seeds(here)) for at, here in places.items()]


def _unknown_seeds(rows: Iterable[Row]) -> int:
    """How many seeds have a row that is unknown."""
    return len({row["seed"] for row in rows if unknown(row)})


def why_unknown(metric: str) -> str:
    """In a word, why a metric has no value though something was measured.

    R² has none either where features do not vary.
    """
    return "undefined" if "r_squared" in metric else "diverged"


def seeds_label(points: Sequence[Point], why: str = "diverged") -> str:
    """How many seeds stand behind what is drawn, such as "n = 6 seeds, 2 diverged".

    why: in a word, why some have no value.
    """
    counts = [point.value.n for point in points if point.value is not None]
    lost = max((point.lost for point in points), default=0)
    words = [_seeds(min(counts), max(counts))] if counts else [] if lost else ["no values"]
    return ", ".join([*words, f"{lost} {why}"] if lost else words)


def _seeds(low: int, high: int) -> str:
    number = f"{low}" if low == high else f"{low}–{high}"
    return f"n = {number} seed{'' if high == 1 else 's'}"


class Cloud(NamedTuple):
    """A point a trained pair: squared parameter distances and a metric, both `[P]`."""

    distance: list[float]
    value: list[float]


def against_distance(rows: Iterable[Row]) -> dict[int, Cloud]:
    """For each seed, ascending by distance: the mean over a pair's rows, both directions say.

    Pairs that lie at no distance or have no value are left out; see `unknown_pairs`.
    """
    rows = [row for row in rows if row.get("distance") is not None]
    clouds: dict[int, Cloud] = {}
    for seed, distance in sorted(distinct(rows, "seed", "distance")):
        mean = over_seeds(rows, seed=seed, distance=distance)
        if mean is not None:
            cloud = clouds.setdefault(seed, Cloud([], []))
            cloud.distance.append(distance)
            cloud.value.append(mean.mean)
    return clouds


def unknown_pairs(rows: Iterable[Row]) -> list[Any]:
    """The pairs of which some row is unknown: of a network that diverged."""
    return distinct((row for row in rows if unknown(row)), "seed", "target_distance", "distance")
