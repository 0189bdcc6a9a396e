"""What tests of the studies share: a run as its script makes it, and what bad input gets."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import __main__ as tools
from experiments.frame import cli
from experiments.frame.job import Job
from experiments.frame.run import run as run_study
from experiments.frame.study import find
from jaxadv.data import Splits


def settings_of(study: str, *words: object):
    """The settings that these words mean on the study's command line."""
    return cli.parse(study, find(study).presets, [*map(str, words)])


def jobs_of(study: str, splits: Splits, *words: object) -> list[Job]:
    """The study's cohorts on their way, without a folder or attacks."""
    settings = settings_of(study, *words)
    cohorts = find(study).cohorts(settings, splits)
    return [Job(settings, splits, Path(), [], cohort) for cohort in cohorts]


def run(study: str, *words: object) -> None:
    """`python -m experiments.STUDY WORDS`, in this process."""
    cli.run(lambda: run_study(find(study), settings_of(study, *words)))


def tool(*words: object) -> None:
    """`python -m experiments WORDS`, in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["experiments", *map(str, words)])
        tools.main()


def refused(
    capsys: pytest.CaptureFixture, call: Callable[..., object], *words: object, **options: object
) -> str:
    """The one line that bad input gets; the status must be 2."""
    with pytest.raises(SystemExit) as stopped:
        call(*words, **options)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, captured.err
    assert captured.err.splitlines()[-1] == lines[0]  # and nothing after it
    return lines[0]
