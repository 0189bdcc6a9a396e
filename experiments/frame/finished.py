"""A finished run as tables and figures need it: checked once, when it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.frame import kept
from jaxadv import results, sums
from jaxadv.errors import UserError
from jaxadv.leftovers import MEASURED as PARTS
from jaxadv.results import Row
from jaxadv.schema import REQUIRED, check_rows, plain

if TYPE_CHECKING:
    from experiments.frame.study import Study

OF_STUDIES = ("model", "variant")  # keys of every row of any study, beside those of all rows
SWEPT = ("eps", "confidence")  # keys of rows: what of an attack is swept


@dataclass(frozen=True)
class Finished:
    """A run's folder and what its results say."""

    directory: Path
    experiment: str
    config: dict[str, Any]
    environment: Any
    rows: list[Row]

    def arrays(self, *words: str) -> dict[str, np.ndarray]:
        """The run's arrays with one of the words in their name; none if they were not kept.

        Raises:
            UserError: if predictions.npz is damaged, or not that of the results.
        """
        name = "predictions.npz"
        if not (self.directory / name).exists():
            return {}
        wanted = lambda key: any(word in key for word in words)  # noqa: E731
        return results.read_own_arrays(self.directory, name, wanted)


def read(directory: Path, find: Any) -> "tuple[Study[Any], Finished]":
    """A run's study and results; where these carry no sum, a line says so.

    find: the study of a name.

    Raises:
        UserError: if they are damaged, lack what tables and figures need, or are of no study.
    """
    content, path = results.read(directory), directory / "results.json"
    try:
        study = find(content["experiment"])
    except UserError as error:
        raise UserError(f"{path}: {error}; no tables and figures are known for it") from None
    check_content(content, path, study)
    kept_in = content.get("environment")
    return study, Finished(directory, study.name, content["config"], kept_in, content["rows"])


def check_content(content: Mapping[str, Any], path: Path, study: "Study[Any]") -> None:
    """Refuse results that lack what the study's tables and figures need.

    Raises:
        UserError: if so; where they carry no sum, a line says so.
    """
    rows = content["rows"]
    if not rows:
        raise UserError(f"{path}: holds no rows; run the experiment again")
    check_rows(rows, str(path), (*REQUIRED, *OF_STUDIES, *study.keys))
    for number, row in enumerate(rows, start=1):
        if lacking := _lacking(row):
            raise UserError(f"{path}: row {number}: lacks {lacking}; run again into a new --out")
    for metric in study.always:
        _check_seeds(metric, content, path)
    if sums.KEY not in content:
        sums.say_none(path)


def _check_seeds(metric: str, content: Mapping[str, Any], path: Path) -> None:
    """Refuse results from which a seed's rows are gone: the mean would be over the others."""
    seeds = dict[tuple[str, str], set[int]]()
    for row in content["rows"]:
        of = seeds.setdefault((row["model"], row["variant"]), set())
        if row["metric"] == metric:
            of.add(row["seed"])
    for (model, variant), found in seeds.items():
        lost = sorted(set(content["config"]["seeds"]) - found)
        if lost:
            raise UserError(
                f"{path}: no row of {metric} for {model}, {variant}, seed {lost[0]}; "
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


def is_finished(out: Path, study: "Study[Any]", config: Mapping[str, Any]) -> bool:
    """Whether the folder holds the results of this run; parts measured for them are then cleared.

    Raises:
        UserError: if those it holds are damaged, or another run's.
    """
    path = out / "results.json"
    if not path.exists():
        return False
    content = results.read(out)
    if content["experiment"] != study.name or content["config"] != plain(config, "config"):
        raise UserError(f"{path}: of other settings than config.json beside it; choose a new --out")
    check_content(content, path, study)
    kept.clear(out / PARTS)
    return True
