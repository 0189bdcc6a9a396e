"""The study that docs/new_study.md prints: one file, and nothing else of the project changes."""

import re
import sys
from pathlib import Path

import pytest

import experiments
from experiments.frame import cli, report
from experiments.frame.run import run
from experiments.frame.study import find, names
from jaxadv import results
from jaxadv.errors import UserError

PAGE = Path(__file__).parent.parent / "docs/new_study.md"


@pytest.fixture
def printed(tmp_path, monkeypatch):
    """The study as printed, where Python looks for studies."""
    found = re.search(r"<!-- study.*?-->\n```python\n(.*?)```", PAGE.read_text(), re.S)
    assert found is not None
    (tmp_path / "spread_pairs.py").write_text(found[1])
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(tmp_path)])
    yield find("spread_pairs"), found[1]
    sys.modules.pop("experiments.spread_pairs", None)


def ask(study, *words):
    return cli.parse(
        study.name, study.presets, ["--preset", "smoke", "--pgd-examples", "40", *words]
    )


@pytest.mark.slow
def test_the_printed_study_runs_resumes_and_is_reused(printed, tmp_path, capsys):
    study, code = printed
    assert len(code.splitlines()) <= 60
    assert "spread_pairs" in names()
    out = tmp_path / "run"
    run(study, ask(study, "--out", str(out)))
    rows, said = results.read(out)["rows"], capsys.readouterr().out
    assert {row["variant"] for row in rows} == {"ADP 0", "ADP 1"}
    assert {row["seed"] for row in rows} == {0, 1}
    assert "Transfer rate" in said
    assert [path.name for path in (out / "figures").iterdir()] == ["transfer.png"]

    run(study, ask(study, "--out", str(out), "--resume"))  # shown, not attacked again
    assert "measured in" not in capsys.readouterr().err
    again = tmp_path / "again"
    run(study, ask(study, "--out", str(again), "--from", str(out)))
    assert results.read(again)["rows"] == rows
    with pytest.raises(UserError, match="trained with --epochs 5, not 6"):
        run(
            study, ask(study, "--out", str(tmp_path / "other"), "--from", str(out), "--epochs", "6")
        )
    assert report.draw(again) == [again / "figures" / "transfer.png"]


def test_a_study_that_is_not_found_is_refused_before_it_trains(printed, tmp_path, monkeypatch):
    study, _ = printed
    monkeypatch.setattr(experiments, "__path__", experiments.__path__[:1])
    out = tmp_path / "run"
    with pytest.raises(UserError, match="'spread_pairs' is none of"):
        run(study, ask(study, "--out", str(out)))
    assert not out.exists()
