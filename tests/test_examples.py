"""The scripts in examples/ say what they are for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.fixture
def said(request, tmp_path):
    """What a script prints, run in a folder of its own, and that folder."""
    script = FOLDER / f"{request.param}.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout, tmp_path


def numbers(line: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d\.\d+", line)]


def test_there_are_three_short_scripts() -> None:
    assert [path.stem for path in SCRIPTS] == ["decorrelate", "own_attack", "which_fools_which"]
    assert all(len(path.read_text().splitlines()) <= 75 for path in SCRIPTS)


@pytest.mark.slow
@pytest.mark.parametrize("said", ["which_fools_which"], indirect=True)
def test_three_kinds_of_models_fool_one_another(said) -> None:
    table, folder = said
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["linear", "wide", "deep"]
    assert all(0.3 < rate < 1 for line in table.splitlines()[4:] for rate in numbers(line)[1:])
    assert (folder / "which_fools_which.png").stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.parametrize("said", ["decorrelate"], indirect=True)
def test_decorrelated_pairs_share_fewer_failures(said) -> None:
    (plain, _), (decorrelated, _) = (numbers(line) for line in said[0].splitlines()[-2:])
    assert plain - decorrelated > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("said", ["own_attack"], indirect=True)
def test_an_attack_on_noisy_copies_runs_beside_pgd(said) -> None:
    pgd, noisy = (numbers(line) for line in said[0].splitlines())
    assert min(pgd[0], noisy[0]) > 0.8
    assert min(pgd[1], noisy[1]) > 0.5
