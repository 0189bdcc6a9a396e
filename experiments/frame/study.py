"""A study is a value: it says what is its own, and `run` does the rest.

It lives in a file of its own, experiments/NAME.py, as `STUDY`; no list of studies is kept.
"""

import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import experiments
from experiments.frame.finished import Finished
from experiments.frame.grid import Cohort
from experiments.frame.job import Job
from experiments.frame.measure.runs import measured
from experiments.frame.parts import Measured
from experiments.frame.settings import Settings
from experiments.frame.tables.table import Table
from experiments.frame.trials import Trial
from jaxadv.data import Splits
from jaxadv.errors import UserError
from jaxadv.results import Row
from jaxadv.training import State

S = TypeVar("S", bound=Settings)
MakeTable: TypeAlias = Callable[[Sequence[Row]], Table]
Draw: TypeAlias = Callable[[Finished, Path], None]
Answer: TypeAlias = Callable[[Sequence[Row], float], str]


def _all_agree(settings: Any) -> None:
    """Any settings go together."""


def _nothing_more(settings: Any, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """No check of a study's own."""


@dataclass(frozen=True)
class Study(Generic[S]):
    """What one study has for its own.

    name: of its file. paper: figure or table of which paper. presets: settings by name.
    minutes: of each preset, on two cores; text where another machine is meant.
    cohorts: from settings and data, what is trained, each in one program.
    train: a job's runs, trained. trials: the attacks. measured: what is measured of trained runs.
    check_settings: refuses settings that do not go together, before data are loaded.
    check: refuses what could only fail later, before the first run is trained.
    tables, figures: from its rows; a figure writes files into a folder.
    keys: that all of its rows have beside model, variant and seed.
    always: metrics that every variant has of every seed.
    shown_eps: the l∞ radius that the page of results has room for.
    shown_arrays: words in the names of arrays that its figures show.
    answer: from its rows and a radius, what was found, in a line that a run ends with.
    """

    name: str
    paper: str
    presets: Mapping[str, S]
    cohorts: Callable[[S, Splits], Sequence[Cohort]]
    train: Callable[[Job[S]], State]
    trials: Callable[[S, Splits], Sequence[Trial]]
    tables: Sequence[MakeTable]
    figures: Sequence[Draw] = ()
    measured: Callable[[Job[S], State], Measured] = partial(measured, with_features=True)
    check_settings: Callable[[S], None] = _all_agree
    check: Callable[[S, Sequence[Cohort], Splits], None] = _nothing_more
    minutes: Mapping[str, float | str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    always: tuple[str, ...] = ("clean_accuracy",)
    shown_eps: float = 0.1
    shown_arrays: tuple[str, ...] = ()
    answer: Answer | None = None


def about(study: Study[Any], width: int) -> str:
    """What a study is, in lines of at most `width`: its file's words, presets and their minutes."""
    module = importlib.import_module(f"experiments.{study.name}")
    words = inspect.cleandoc(module.__doc__ or "")
    written = [part for part in words.split("\n\n") if not part.startswith(" ")]
    written.append(f"Presets, and minutes of each on two cores: {minutes_of(study)}.")
    return "\n\n".join(textwrap.fill(part, width, break_on_hyphens=False) for part in written)


def minutes_of(study: Study[Any]) -> str:
    """Every preset with its minutes, a dash where they are not known."""
    return ", ".join(f"{name} {study.minutes.get(name, '–')}" for name in study.presets)


def names() -> list[str]:
    """The names of all studies: of the files beside the frame."""
    found = pkgutil.iter_modules(experiments.__path__)
    return sorted(each.name for each in found if not each.ispkg and not each.name.startswith("_"))


def find(name: str) -> Study[Any]:
    """The study of this name.

    Raises:
        UserError: if there is none.
    """
    if name not in names():
        raise UserError(f"experiment {name!r} is none of {', '.join(names())}")
    study = getattr(importlib.import_module(f"experiments.{name}"), "STUDY", None)
    if not isinstance(study, Study) or study.name != name:
        raise UserError(f"experiments/{name}.py: has no STUDY of that name; give it one")
    return study
