"""What a run leaves behind: rows in long form, arrays, and the settings and machine they came from.

`results.json` is `{"experiment", "config", "environment", "rows"}`, the rows as `jaxadv.schema` has
them. It is checked once, where it is read.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from jaxadv.environment import environment
from jaxadv.errors import UserError
from jaxadv.files import read_arrays, read_json, write_arrays, write_atomically, write_json
from jaxadv.folder import claim, read_config
from jaxadv.metrics import Interval, interval
from jaxadv.schema import check_results, check_rows, plain

__all__ = [
    "Row",
    "by_seed",
    "claim",
    "environment",
    "merge",
    "over_seeds",
    "read",
    "read_arrays",
    "read_config",
    "read_json",
    "select",
    "write",
    "write_arrays",
    "write_atomically",
    "write_json",
]

Row: TypeAlias = dict[str, Any]


def write(
    directory: Path,
    experiment: str,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    made_in: Any = None,
) -> None:
    """Write `results.json`; `made_in` replaces this machine's `environment()`.

    Raises:
        UserError: if a row holds what no row can: NaN, an array, text for a number, ...
    """
    path = directory / "results.json"
    plain_rows = plain(list(rows), f"{path}: rows")
    check_rows(plain_rows, str(path), needed=())
    content = {
        "experiment": experiment,
        "config": dict(config),
        "environment": environment() if made_in is None else made_in,
        "rows": plain_rows,
    }
    write_json(path, content)


def read(directory: str | Path) -> dict[str, Any]:
    """The `results.json` of a run.

    Raises:
        UserError: if it is missing, damaged, edited into what no run writes, or no run's results.
    """
    path = Path(directory) / "results.json"
    content = read_json(path)
    check_results(content, str(path))
    return content


def select(rows: Iterable[Row], **where: Any) -> list[Row]:
    """Rows whose keys have these values; a value of None asks that the key be absent."""
    return [row for row in rows if all(row.get(key) == value for key, value in where.items())]


def by_seed(rows: Iterable[Row]) -> dict[int, float]:
    """One value a seed: the mean over the seed's rows (over both directions, say) that have one."""
    seeds: dict[int, list[float]] = {}
    for row in rows:
        if row["value"] is not None:
            seeds.setdefault(row["seed"], []).append(row["value"])
    return {seed: float(np.mean(values)) for seed, values in sorted(seeds.items())}


def over_seeds(rows: Iterable[Row], **where: Any) -> Interval | None:
    """Mean and 95 % interval over seeds of the selected rows."""
    return interval(list(by_seed(select(rows, **where)).values()))


def merge(runs: list[dict[str, Any]]) -> tuple[dict[str, Any], list[Row]]:
    """Configuration and rows of several runs of one configuration with different seeds.

    Raises:
        UserError: if they are of different experiments, configurations differ in more than their
            seeds, or a seed comes twice.
    """
    if not runs:
        raise UserError("nothing to merge: give at least one run's folder")
    first, seen, rows = runs[0], set[int](), list[Row]()
    for run in runs:
        _check_alike(first, run)
        seeds = set(run["config"]["seeds"])
        if seen & seeds:
            raise UserError(f"seed {min(seen & seeds)} is in two of the runs; merge distinct seeds")
        seen |= seeds
        rows += run["rows"]
    return {**first["config"], "seeds": sorted(seen)}, rows


def _check_alike(first: dict[str, Any], run: dict[str, Any]) -> None:
    if first["experiment"] != run["experiment"]:
        raise UserError(
            f"runs are of different experiments: {first['experiment']} and {run['experiment']}; "
            "merge runs of one"
        )
    for key in sorted(first["config"].keys() | run["config"]):
        if key != "seeds" and first["config"].get(key) != run["config"].get(key):
            raise UserError(
                f"runs differ in {key}: {first['config'].get(key)!r} and "
                f"{run['config'].get(key)!r}; merge runs of one configuration"
            )
