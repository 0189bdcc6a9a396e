"""What a run leaves behind: rows in long form, arrays, and the settings and machine they came from.

`results.json` is `{"sha256", "experiment", "config", "environment", "arrays", "rows"}`, the rows as
`jaxadv.schema` has them; `sha256` is the sum of all the rest, `arrays` has those of the `.npz`
files beside it. It is checked once, where it is read. Older results have neither sum.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from jaxadv import sums
from jaxadv.configs import differences
from jaxadv.environment import environment
from jaxadv.errors import UserError
from jaxadv.files import (
    read_arrays,
    read_json,
    write_arrays,
    write_atomically,
    write_json,
    write_summed,
)
from jaxadv.folder import claim, read_config
from jaxadv.metrics import Interval, interval
from jaxadv.parallel import leads
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
    "read_own_arrays",
    "select",
    "unknown",
    "write",
    "write_arrays",
    "write_atomically",
    "write_json",
]

Row: TypeAlias = dict[str, Any]
_ARRAYS = ("predictions.npz", "adversarial.npz")  # what may lie beside results.json
_KEYS = (sums.KEY, "experiment", "config", "environment", "arrays", "rows")


def write(
    directory: Path,
    experiment: str,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    made_in: Any = None,
) -> None:
    """Write `results.json`, after the arrays beside it, whose sums it has.

    made_in: replaces this machine's `environment()`.

    Raises:
        UserError: if a row holds what no row can: NaN, an array, text for a number, ...
    """
    path = directory / "results.json"
    plain_rows = plain(list(rows), f"{path}: rows")
    check_rows(plain_rows, str(path), needed=())
    if not leads():
        return
    content = {
        "experiment": experiment,
        "config": dict(config),
        "environment": environment() if made_in is None else made_in,
        "arrays": {file.name: sums.of_file(file) for file in _arrays(directory)},
        "rows": plain_rows,
    }
    write_summed(path, content)


def _arrays(directory: Path) -> list[Path]:
    return [path for name in _ARRAYS if (path := directory / name).is_file()]


def read(directory: str | Path) -> dict[str, Any]:
    """The `results.json` of a run; an older one's has no `sha256` by which damage can be told.

    Raises:
        UserError: if it is missing, damaged, edited into what no run writes, or no run's results.
    """
    path = Path(directory) / "results.json"
    content = read_json(path)
    check_results(content, str(path))
    for key in content:
        if key not in _KEYS:
            raise UserError(
                f"{path}: holds {key!r}, which no run writes; run again into a new --out"
            )
    sums.check(content, path)
    return content


def read_own_arrays(
    directory: str | Path, name: str, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """The arrays of `directory/name` whose names are wanted, if they are those of the results.

    Older results have no sum of them; then they are read as they are.

    Raises:
        UserError: if the file, or the results beside it, are missing or not as they were written.
    """
    path = Path(directory) / name
    known = read(directory).get("arrays")
    if known is not None and path.is_file() and known.get(name) != sums.of_file(path):
        raise UserError(f"{path}: not as results.json beside it says; run the experiment again")
    return read_arrays(path, wanted)


def select(rows: Iterable[Row], **where: Any) -> list[Row]:
    """Rows whose keys have these values; a value of None asks that the key be absent."""
    return [row for row in rows if all(row.get(key) == value for key, value in where.items())]


def unknown(row: Row) -> bool:
    """Whether a row has no value though something was measured, as of a network that diverged.

    Where nothing was, 0/0, its `n` is 0.
    """
    return row["value"] is None and row.get("n", 0) > 0


def by_seed(rows: Iterable[Row]) -> dict[int, float]:
    """One value a seed: the mean over the seed's rows (over both directions, say).

    Rows of nothing, 0/0, are passed over. A seed of which one row is unknown has no value.
    """
    rows = list(rows)
    lost = {row["seed"] for row in rows if unknown(row)}
    seeds: dict[int, list[float]] = {}
    for row in rows:
        if row["value"] is not None and row["seed"] not in lost:
            seeds.setdefault(row["seed"], []).append(row["value"])
    return {seed: float(np.mean(values)) for seed, values in sorted(seeds.items())}


def over_seeds(rows: Iterable[Row], **where: Any) -> Interval | None:
    """Mean and 95 % interval over seeds of the selected rows; its `n` is of those with a value."""
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
    for name, one, other in differences(first["config"], run["config"], both=True):
        if name != "seeds":
            raise UserError(
                f"runs differ in {name}: {one!r} and {other!r}; merge runs of one configuration"
            )
