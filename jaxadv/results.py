"""What a run leaves behind: rows in long form, arrays, and the settings and machine they came from.

`results.json` is `{"sha256", "experiment", "config", "environment", "arrays", "rows"}`, the rows as
`jaxadv.schema` has them; `sha256` is the sum of all the rest, `arrays` has those of the `.npz`
files beside it. It is checked once, where it is read. Older results have neither sum.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

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
from jaxadv.parallel import leads
from jaxadv.rows import Row, by_seed, over_seeds, select, unknown
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

_ARRAYS = ("predictions.npz", "adversarial.npz")  # what may lie beside results.json
_KEYS = (sums.KEY, "experiment", "config", "environment", "arrays", "rows")


def write(
    directory: Path,
    experiment: str,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    made_in: Any = None,
) -> None:
    """Write `directory/results.json`. Write the arrays beside it first: it keeps their checksums.

    experiment: the study's name. config: its settings, plain JSON values.
    made_in: what to write in place of this machine's `environment()`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> row = {"metric": "clean_accuracy", "value": 0.98, "n": 360, "seed": 0}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write(Path(folder), "my_study", {"seeds": [0]}, [row])
    ...     results.read(folder)["rows"][0]["value"]
    0.98

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
    """The content of a run's `results.json`, after its checksum was compared.

    Keys are "experiment", "config", "environment", "rows", and of newer runs "arrays" and "sha256".
    Older results have no checksum, so damage that leaves them readable goes unseen.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> row = {"metric": "clean_accuracy", "value": 0.98, "n": 360, "seed": 0}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write(Path(folder), "my_study", {"seeds": [0]}, [row], made_in={"jax": "0"})
    ...     sorted(results.read(folder))
    ['arrays', 'config', 'environment', 'experiment', 'rows', 'sha256']

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
    """The arrays of `directory/name` whose names are wanted, after their checksum was compared.

    name: "predictions.npz", say. wanted: from an array's name to whether to read it.
    The checksum is in the results beside the file. Older results have none; then the arrays are
    read as they are.

    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> row = {"metric": "clean_accuracy", "value": 0.98, "n": 360, "seed": 0}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder)
    ...     results.write_arrays(path / "predictions.npz", {"labels": np.array([1, 2])})
    ...     results.write(path, "my_study", {"seeds": [0]}, [row])
    ...     results.read_own_arrays(path, "predictions.npz", lambda name: name == "labels")
    {'labels': array([1, 2])}

    Raises:
        UserError: if the file, or the results beside it, are missing or not as they were written.
    """
    path = Path(directory) / name
    known = read(directory).get("arrays")
    if known is not None and path.is_file() and known.get(name) != sums.of_file(path):
        raise UserError(f"{path}: not as results.json beside it says; run the experiment again")
    return read_arrays(path, wanted)


def merge(runs: list[dict[str, Any]]) -> tuple[dict[str, Any], list[Row]]:
    """Configuration and rows of several runs of one configuration with different seeds.

    runs: what `read` gives of each. The configuration's "seeds" become those of all.

    >>> from jaxadv import results
    >>> runs = [
    ...     {"experiment": "my_study", "config": {"seeds": [seed]}, "rows": [{"seed": seed}]}
    ...     for seed in (0, 1)
    ... ]
    >>> results.merge(runs)
    ({'seeds': [0, 1]}, [{'seed': 0}, {'seed': 1}])

    Raises:
        UserError: if there are none, they are of different experiments, their configurations
            differ in more than the seeds, or a seed comes twice.
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
