"""A line for every attack setting and variant, from which most tables are made."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from experiments.frame.finished import SWEPT
from experiments.frame.soundness import collapsed, seeds_of, variants_of
from experiments.frame.tables.table import written
from jaxadv.metrics import paired_difference
from jaxadv.plots.reduce import distinct
from jaxadv.results import Row, by_seed, select

LINE = ["model", "attack", "ball", "eps", "variant", "images", "seeds"]
TOLD_BY = ("model", "attack", "ball", "eps", "variant")  # what tells lines apart


class Attacked(NamedTuple):
    """A line of a table of attacks: its first words, its rows, rows to compare, number of seeds.

    first: the same attack's on the first variant; none for the first variant itself, and none where
        other images were attacked.
    """

    words: list[str]
    rows: list[Row]
    first: list[Row]
    seeds: int


def each_attack(rows: Sequence[Row]) -> Iterator[Attacked]:
    """A line for every attack setting and variant."""
    keys = ("model", "attack", "ball", *SWEPT)
    settings: dict[tuple[Any, ...], None] = dict.fromkeys(
        tuple(r.get(k) for k in keys) for r in rows if "attack" in r
    )
    for setting in settings:
        model, attack, ball, *_ = setting
        at = dict(zip(keys[1:], setting[1:], strict=True))
        first: list[Row] | None = None
        for name, runs in variants_of(rows, model):
            chosen = select(runs, **at)
            if not chosen:
                continue
            words = [model, attack, ball, radius(chosen[0]), name, images(chosen)]
            first = chosen if first is None else first
            fair = first is not chosen and images(first) == images(chosen)
            seeds = len(collapsed(runs))
            words.append(seeds_of(chosen, seeds))
            yield Attacked(words, chosen, first if fair else [], seeds)


def radius(row: Row) -> str:
    """What of the attack was swept, a radius by its value alone."""
    if row.get("eps") is not None:
        return f"{row['eps']:.3g}"
    return next(f"{name} {row[name]:.3g}" for name in SWEPT if row.get(name) is not None)


def images(rows: Iterable[Row]) -> str:
    """How many images were attacked."""
    return images_of(select(rows, metric="error_rate"))


def images_of(rows: Iterable[Row]) -> str:
    """How many images rows are measured on."""
    return ", ".join(f"{n:,}" for n in distinct(rows, "n"))


def compared(rows: Sequence[Row], first: Sequence[Row], **where: Any) -> str:
    """The difference from the first variant's value, paired by seed; nothing for itself.

    Of fewer seeds than both were measured on it says of how many.
    """
    here, there = (select(each, **where) for each in (rows, first))
    if not there:
        return ""
    both = {row["seed"] for row in here} & {row["seed"] for row in there}
    return written(paired_difference(by_seed(here), by_seed(there)), len(both))


def less_first(rows: Sequence[Row]) -> str:
    """The heading of a difference from the first variant."""
    return " ".join(["−", *distinct(rows, "variant")[:1]])
