"""Which runs of a study came to nothing: networks that collapsed, and such as diverged."""

from collections.abc import Iterable

from experiments.frame.rows import NONFINITE
from jaxadv.plots.reduce import distinct
from jaxadv.results import Row, select

COLLAPSED_BELOW = 0.5  # clean accuracy of a member that has not learned the classes


def collapsed(rows: Iterable[Row]) -> dict[int, int]:
    """For each seed, how many members are below 50 % clean accuracy."""
    counts: dict[int, int] = {}
    for row in select(rows, metric="clean_accuracy"):
        if row["target"] != "ensemble":
            counts.setdefault(row["seed"], 0)
            counts[row["seed"]] += row["value"] is not None and row["value"] < COLLAPSED_BELOW
    return counts


def diverged(rows: Iterable[Row]) -> set[int]:
    """The seeds of which some predictions in these rows are not finite."""
    return {row["seed"] for row in select(rows, metric=NONFINITE) if row["value"]}


def seeds_of(rows: Iterable[Row], seeds: int) -> str:
    """How many seeds there are, and how many of them diverged in these rows.

    Means are over the others, as they say: a value of those that diverged is not known.
    """
    lost = len(diverged(rows))
    return f"{seeds}, {lost} diverged" if lost else str(seeds)


def variants_of(rows: Iterable[Row], model: str) -> list[tuple[str, list[Row]]]:
    """Each variant's rows; where a member collapsed, again over the seeds where none did.

    All seeds stand in a table, always: the second line is beside the first, not in its place. It
    leaves out those that diverged too.
    """
    groups = []
    for variant in distinct(select(rows, model=model), "variant"):
        chosen = select(rows, model=model, variant=variant)
        groups.append((variant, chosen))
        lost, natural = collapsed(chosen), select(chosen, attack=None)
        sound = {seed for seed, members in lost.items() if not members} - diverged(natural)
        if any(lost.values()) and sound:
            kept = [row for row in chosen if row["seed"] in sound]
            groups.append((f"{variant}, uncollapsed", kept))
    return groups
