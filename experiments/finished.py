"""A finished run as tables and figures need it: checked once, when it is read."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import kept
from jaxadv import results, sums
from jaxadv.errors import UserError
from jaxadv.leftovers import MEASURED as PARTS
from jaxadv.results import Row
from jaxadv.schema import REQUIRED, check_rows, plain

# Keys of every row of a study, beside those of all; and of every row with a metric.
OF_STUDIES = ("model", "defence")
OF_STUDY: dict[str, tuple[str, ...]] = {
    "dverge": ("epoch",),
    "gradient_magnitude": ("length",),
    "parametric_distance": ("distance", "target_distance"),
}
# Metrics that every pair (or network) has of every seed: `clean_accuracy`, where none is given.
MEASURED: dict[str, tuple[str, ...]] = {
    "dverge": ("clean_accuracy", "transfer_rate"),
    "dna": ("any_correct",),
    "dna_sharing": ("any_correct",),
}
SWEPT = ("eps", "confidence")  # keys of rows: what of an attack is swept


def read(directory: Path, studies: Collection[str]) -> dict[str, Any]:
    """The results of a run of one of the studies; where they carry no sum, a line says so.

    Raises:
        UserError: if they are damaged, lack what tables and figures need, or are of no such study.
    """
    content, path = results.read(directory), directory / "results.json"
    study, rows = content["experiment"], content["rows"]
    if study not in studies:
        raise UserError(
            f"{path}: experiment {study!r} is none of {', '.join(studies)}; no tables and figures "
            "are known for it"
        )
    if not rows:
        raise UserError(f"{path}: holds no rows; run the experiment again")
    check_rows(rows, str(path), (*REQUIRED, *OF_STUDIES, *OF_STUDY.get(study, ())))
    for number, row in enumerate(rows, start=1):
        lacking = _lacking(row)
        if lacking:
            raise UserError(f"{path}: row {number}: lacks {lacking}; run again into a new --out")
    for metric in MEASURED.get(study, ("clean_accuracy",)):
        _check_seeds(metric, content, path)
    if sums.KEY not in content:
        sums.say_none(path)
    return content


def _check_seeds(metric: str, content: dict[str, Any], path: Path) -> None:
    """Refuse results from which a seed's rows are gone: the mean would be over the others."""
    seeds = dict[tuple[str, str], set[int]]()
    for row in content["rows"]:
        of = seeds.setdefault((row["model"], row["defence"]), set())
        if row["metric"] == metric:
            of.add(row["seed"])
    for (model, defence), found in seeds.items():
        lost = sorted(set(content["config"]["seeds"]) - found)
        if lost:
            raise UserError(
                f"{path}: no row of {metric} for {model}, {defence}, seed {lost[0]}; "
                "run again into a new --out"
            )


def _lacking(row: Row) -> str:
    """What a row lacks that others of its metric or under an attack have."""
    if row["metric"] == "clean_accuracy":
        if row["value"] is None and not results.unknown(row):  # null too if a network diverged
            return "a value of clean_accuracy"
        if "target" not in row:
            return "target"
    if "attack" not in row:
        return ""
    if not any(key in row for key in SWEPT):
        return " and ".join(SWEPT)
    return next((key for key in ("ball", "source") if key not in row), "")


def is_finished(out: Path, study: str, config: Mapping[str, Any], studies: Collection[str]) -> bool:
    """Whether the folder holds the results of this run; parts measured for them are then cleared.

    Raises:
        UserError: if those it holds are damaged, or another run's.
    """
    path = out / "results.json"
    if not path.exists():
        return False
    content = read(out, studies)
    if content["experiment"] != study or content["config"] != plain(config, "config"):
        raise UserError(f"{path}: of other settings than config.json beside it; choose a new --out")
    kept.clear(out / PARTS)
    return True


def kept_arrays(directory: Path, words: Sequence[str]) -> dict[str, np.ndarray]:
    """A run's arrays with one of the words in their name; none if they were not kept.

    Raises:
        UserError: if predictions.npz is damaged, or not that of the results.
    """
    name = "predictions.npz"
    if not (directory / name).exists():
        return {}
    return results.read_own_arrays(directory, name, lambda key: any(w in key for w in words))
