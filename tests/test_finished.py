"""Edited, foreign and damaged runs: plot, merge, page and --resume refuse them in one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.frame import kept, page, parts, report
from experiments.frame.finished import is_finished
from experiments.frame.merge import Merge
from experiments.frame.study import find
from jaxadv import results, sums
from jaxadv.errors import UserError
from tests.studies import refused, tool

SMALL = page.RESULTS / "mnist-lenet-sure"


def unsummed(folder: Path) -> dict:
    """Committed results as of someone who means to edit them: without their sums."""
    found = json.loads((folder / "results.json").read_text())
    return {key: value for key, value in found.items() if key not in (sums.KEY, "arrays")}


@pytest.fixture
def content() -> dict:
    return unsummed(SMALL)


def written(folder: Path, content: dict) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def lacking_key(content: dict) -> str:
    del content["rows"][3]["value"]
    return "row 4: lacks value"


def lacking_variant(content: dict) -> str:
    del content["rows"][0]["variant"]
    return "row 1: lacks variant"


def lacking_radius(content: dict) -> str:
    at = next(i for i, row in enumerate(content["rows"]) if "eps" in row)
    del content["rows"][at]["eps"]
    return f"row {at + 1}: lacks eps"


def text_for_a_number(content: dict) -> str:
    content["rows"][1]["value"] = "0.9"
    return "row 2: value is '0.9'"


def nan(content: dict) -> str:
    content["rows"][1]["value"] = float("nan")
    return "NaN is no JSON number"


def unknown_experiment(content: dict) -> str:
    content["experiment"] = "alchemy"
    return "'alchemy' is none of"


def no_dictionary(content: dict) -> str:
    content["rows"][2] = [1, 2]
    return "row 3: is list"


def no_seeds(content: dict) -> str:
    del content["config"]["seeds"]
    return "seeds in config"


def no_rows(content: dict) -> str:
    content["rows"] = []
    return "holds no rows"


def a_seed_lost(content: dict) -> str:
    content["rows"] = [row for row in content["rows"] if row["seed"] != 1]
    return "no row of clean_accuracy for lenet, plain, seed 1"


EDITS = [
    *(lacking_key, lacking_variant, lacking_radius, text_for_a_number, nan, unknown_experiment),
    *(no_dictionary, no_seeds, no_rows, a_seed_lost),
]


@pytest.mark.parametrize("edit", EDITS)
def test_edited_results_are_refused_by_each_command(edit, content, tmp_path, capsys):
    study, said = find(content["experiment"]), edit(content)
    run = written(tmp_path / "run", content)
    assert said in refused(capsys, tool, "plot", run)
    assert said in refused(capsys, tool, "merge", run, "--out", tmp_path / "m")
    assert not (tmp_path / "m").exists()
    with pytest.raises(UserError) as paged:
        page.page(tmp_path)
    with pytest.raises(UserError) as resumed:
        is_finished(run, study, content["config"])
    assert said in str(paged.value)
    said = "of other settings" if edit is unknown_experiment else said
    assert said in str(resumed.value)
    assert [path.name for path in run.iterdir()] == ["results.json"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04cut"])
def test_damaged_predictions_are_refused(damage, tmp_path, capsys):
    run = written(tmp_path / "run", unsummed(page.RESULTS / "digits"))
    (run / "predictions.npz").write_bytes(damage)
    assert "predictions.npz: not readable" in refused(capsys, tool, "plot", run)
    words = ("merge", run, "--out", tmp_path / "m")
    assert "predictions.npz: not readable" in refused(capsys, tool, *words)
    assert not (tmp_path / "m").exists()


def test_a_finished_run_of_other_settings_is_not_shown_as_this_one(content, tmp_path):
    run = written(tmp_path / "run", content)
    study, config = find(content["experiment"]), content["config"]
    assert is_finished(run, study, config)
    for other, asked in ((study, config | {"training": {}}), (find("dverge"), config)):
        with pytest.raises(UserError, match="of other settings"):
            is_finished(run, other, asked)
    assert not is_finished(tmp_path, study, config)


def test_merge_into_places_that_cannot_be(content, tmp_path, capsys):
    run = written(tmp_path / "run", content)
    other = content | {"experiment": "decorrelated_pairs"}
    foreign = written(tmp_path / "foreign", other)
    (tmp_path / "file").write_text("")

    def line(*words: object) -> str:
        return refused(capsys, tool, "merge", *words)

    out = ("--out", tmp_path / "m")
    assert "seed 0 is in two of the runs" in line(run, run, *out)
    assert "runs are of different experiments" in line(run, foreign, *out)
    assert "nothing to merge" in line(*out)
    assert "is not empty" in line(run, "--out", run)
    assert "is a file" in line(run, "--out", tmp_path / "file")
    assert "Not a directory" in line(run, "--out", tmp_path / "file" / "m")
    tool("merge", run, *out)
    again = line(run, *out)
    assert "already holds this run; choose a new --out" in again
    assert "--resume" not in again


def test_merge_names_what_is_not_measured_in_all(content, tmp_path, capsys):
    shifted = json.loads(json.dumps(content))
    shifted["config"]["seeds"] = [seed + 10 for seed in shifted["config"]["seeds"]]
    for row in shifted["rows"]:
        row["seed"] += 10
    shifted["rows"] = [row for row in shifted["rows"] if row["metric"] != "cosine"]
    runs = (written(tmp_path / "a", content), written(tmp_path / "b", shifted))
    Merge(runs, tmp_path / "m")()
    said = capsys.readouterr().err.splitlines()
    *of_sums, metrics = said
    assert metrics == "warning: not measured in all of the runs: cosine"
    assert all("carries no sha256" in line for line in of_sums)  # both were edited
    assert len(of_sums) == 2


def test_plot_of_nothing_and_beside_a_file(content, tmp_path, capsys):
    assert "nothing to draw" in refused(capsys, tool, "plot")
    run = written(tmp_path / "run", content)
    (run / "figures").write_text("")
    assert "figures: is a file" in refused(capsys, tool, "plot", run)


def test_stopping_a_command_without_resume_does_not_advise_it(monkeypatch, capsys):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "draw", stop)
    with pytest.raises(SystemExit) as stopped:
        tool("plot", SMALL)
    assert stopped.value.code == 130
    assert "--resume" not in capsys.readouterr().err


def edit_rows(folder: Path) -> None:
    path = folder / "part.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))


DAMAGE = {
    "empty rows": lambda folder: (folder / "part.json").write_bytes(b""),
    "no rows": lambda folder: (folder / "part.json").write_text('{"measured": "part"}'),
    "a list": lambda folder: (folder / "part.json").write_text("[]"),
    "edited rows": edit_rows,
    "empty arrays": lambda folder: (folder / "part.npz").write_bytes(b""),
    "no arrays": lambda folder: (folder / "part.npz").unlink(),
    "others' arrays": lambda folder: np.savez(folder / "part.npz", x=np.ones(2)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_measured_part_is_measured_again(damage, tmp_path, capsys):
    calls = []

    def make() -> parts.Measured:
        calls.append(1)
        rows = [{"metric": "m", "value": np.float32(0.5), "n": np.int64(3), "seed": 0}]
        return parts.Measured(rows, {"a": np.arange(3)}, {})

    parts.once(tmp_path, "part", make)
    assert parts.once(tmp_path, "part", make).rows[0]["value"] == 0.5
    assert len(calls) == 1
    capsys.readouterr()
    DAMAGE[damage](tmp_path / "measured")
    with pytest.raises(UserError):
        kept.read(tmp_path / "measured", "part", {})
    np.testing.assert_array_equal(parts.once(tmp_path, "part", make).arrays["a"], [0, 1, 2])
    assert len(calls) == 2
    assert "damaged or edited; measured again" in capsys.readouterr().err
    parts.once(tmp_path, "part", make)
    assert len(calls) == 2


def test_a_results_file_that_is_no_text(tmp_path):
    (tmp_path / "results.json").mkdir()
    with pytest.raises(UserError, match="not readable as JSON"):
        results.read(tmp_path)
