"""What a run leaves behind: rows in long form, arrays, and the settings and machine they came from.

`results.json` is `{"experiment", "config", "environment", "rows"}`. Files are written under a
temporary name and renamed, so a reader never meets half of one.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

from jaxadv.errors import UserError
from jaxadv.metrics import Interval, interval
from jaxadv.parallel import leads

Row: TypeAlias = dict[str, Any]

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def _commit() -> str | None:
    """The checkout's commit, marked when files differ from it; None outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "*.py")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def environment() -> dict[str, Any]:
    """Versions, devices, precision and commit, for the record."""
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "versions": {package: version(package) for package in PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "processes": jax.process_count(),
        "matmul_precision": "float32",
        "commit": _commit(),
    }


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder, then rename; the first process alone."""
    if not leads():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """JSON with one row a line, so that results diff well."""
    if isinstance(value, dict) and isinstance(value.get("rows"), list):
        head = {key: item for key, item in value.items() if key != "rows"}
        rows = ",\n  ".join(json.dumps(row, allow_nan=False) for row in value["rows"])
        text = (
            json.dumps(head, indent=1, allow_nan=False)[:-2] + f',\n "rows": [\n  {rows}\n ]\n}}\n'
        )
    else:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def read_json(path: Path) -> Any:
    """Parsed JSON.

    Raises:
        UserError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the --out folder of a finished run") from None
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: not readable as JSON ({reason}); run again into a new --out"
        ) from None


def read_config(directory: Path) -> dict[str, Any]:
    """The `config.json` of a run's folder.

    Raises:
        UserError: if it is missing, damaged, or not a configuration.
    """
    content = read_json(directory / "config.json")
    if not isinstance(content, dict):
        raise UserError(f"{directory / 'config.json'}: holds no settings; it is no run's folder")
    return content


def claim(directory: Path, config: Mapping[str, Any], resume: bool) -> None:
    """Make `directory` this configuration's output folder.

    Raises:
        UserError: if it belongs to another configuration, or holds work and `resume` is off.

    Of several processes the first does so, for all.
    """
    if not leads():
        return
    path = directory / "config.json"
    if path.exists() and len(list(directory.iterdir())) == 1:
        path.unlink()  # claimed, then refused before any work was done
    wanted = json.loads(json.dumps(config))
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory}: is a file; give --out a folder")
    if path.exists():
        found = read_config(directory)
        if found != wanted:
            keys = sorted(k for k in found.keys() | wanted if found.get(k) != wanted.get(k))
            differences = ", ".join(
                f"{k} {found.get(k)!r}, now {wanted.get(k)!r}" for k in keys[:3]
            )
            raise UserError(
                f"{directory}: holds a run of another configuration ({differences}); "
                "choose a new --out"
            )
        if not resume:
            raise UserError(
                f"{directory}: already holds this run; add --resume to go on, or choose a new --out"
            )
    elif directory.exists() and any(directory.iterdir()):
        raise UserError(f"{directory}: is not empty and is no run's folder; choose a new --out")
    write_json(path, wanted)


def write(
    directory: Path,
    experiment: str,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    made_in: Any = None,
) -> None:
    """Write `results.json`; `made_in` replaces this machine's `environment()`."""
    content = {
        "experiment": experiment,
        "config": dict(config),
        "environment": environment() if made_in is None else made_in,
        "rows": list(rows),
    }
    write_json(directory / "results.json", content)


def read(directory: str | Path) -> dict[str, Any]:
    """The `results.json` of a run.

    Raises:
        UserError: if it is missing, damaged, or not a run's results.
    """
    path = Path(directory) / "results.json"
    content = read_json(path)
    if not isinstance(content, dict) or not {"experiment", "config", "rows"} <= content.keys():
        raise UserError(f"{path}: lacks experiment, config or rows; it is not a run's results")
    return content


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` under a temporary name, then rename; the first process alone."""
    if not leads():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp.npz")
    try:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
        UserError: if configurations differ in more than their seeds, or a seed comes twice.
    """
    if not runs:
        raise UserError("nothing to merge: give at least one run's folder")
    first, seen, rows = runs[0], set[int](), list[Row]()
    for run in runs:
        for key in sorted(first["config"].keys() | run["config"]):
            if key != "seeds" and first["config"].get(key) != run["config"].get(key):
                raise UserError(
                    f"runs differ in {key}: {first['config'].get(key)!r} and "
                    f"{run['config'].get(key)!r}; merge runs of one configuration"
                )
        seeds = set(run["config"]["seeds"])
        if seen & seeds:
            raise UserError(f"seed {min(seen & seeds)} is in two of the runs; merge distinct seeds")
        seen |= seeds
        rows += run["rows"]
    return {**first["config"], "seeds": sorted(seen)}, rows
