"""The experiment scripts end to end on the embedded digits, and misused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.__main__ import TOOLS
from experiments.frame import parts
from experiments.frame.settings import options
from experiments.frame.study import about, find, names
from jaxadv import results
from tests.studies import refused, run, tool

SMALL = {
    "decorrelated_pairs": "--seeds 2 --epochs 4 --eps 0.1 --attacks fgsm --balls linf",
    "parametric_distance": "--seeds 2 --epochs 2 --eps 0.1 --distances 50 100",
}


def small(study: str, out: Path, *words: str) -> list[str]:
    return ["--preset", "smoke", *SMALL[study].split(), "--out", str(out), *words]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "run"
    run("decorrelated_pairs", *small("decorrelated_pairs", out))
    return out


def test_figures_are_redrawn_from_results_alone(pairs, capsys):
    for path in (pairs / "figures").glob("*.png"):
        path.unlink()
    tool("plot", pairs)
    drawn = capsys.readouterr().out.split()
    assert {Path(name).name for name in drawn} == {
        "features-fc.png",
        "success.png",
        "transfer.png",
    }
    assert all(Path(name).stat().st_size > 5000 for name in drawn)


def test_figures_of_results_whose_arrays_were_not_kept(pairs, tmp_path, capsys):
    (tmp_path / "results.json").write_bytes((pairs / "results.json").read_bytes())
    tool("plot", tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "success.png",
        "transfer.png",
    }
    assert "no scatter" in capsys.readouterr().err
    (tmp_path / "predictions.npz").write_bytes((pairs / "predictions.npz").read_bytes()[:999])
    assert "predictions.npz" in refused(capsys, tool, "plot", tmp_path)


def test_other_settings_do_not_enter_the_folder(pairs, capsys):
    before = (pairs / "results.json").read_bytes()
    words = small("decorrelated_pairs", pairs, "--resume", "--epochs", "5")
    line = refused(capsys, run, "decorrelated_pairs", *words)
    assert "epochs 4, now 5" in line
    words = small("decorrelated_pairs", pairs)
    assert "--resume" in refused(capsys, run, "decorrelated_pairs", *words)
    assert (pairs / "results.json").read_bytes() == before


def test_from_a_run_that_is_not_finished(pairs, tmp_path, capsys):
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.json").write_bytes((pairs / "config.json").read_bytes())
    words = small("decorrelated_pairs", tmp_path / "x", "--from", str(unfinished))
    assert "0 of 4 epochs" in refused(capsys, run, "decorrelated_pairs", *words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--first-seed", "5"], "seeds [0, 1], not [5, 6]"),
        (["--seeds", "1"], "seeds [0, 1], not [0]"),
        (["--ridge", "0"], "--ridge 0.00012, not 0.0"),
        (["--train-examples", "1000"], "--train-examples 0, not 1000"),
        (["--epochs", "3"], "epochs 4, not 3"),
    ],
)
def test_from_a_run_that_was_trained_otherwise(pairs, tmp_path, capsys, words, expected):
    words = small("decorrelated_pairs", tmp_path / "x", "--from", str(pairs), *words)
    assert expected in refused(capsys, run, "decorrelated_pairs", *words)
    assert not (tmp_path / "x").exists()


def of_other_seeds(pairs: Path, out: Path, **training: object) -> Path:
    """The same results as if of seeds 2 and 3, maybe trained otherwise."""
    found = results.read(pairs)
    config = {**found["config"], "seeds": [2, 3]}
    config["training"] = {**config["training"], **training}
    rows = [{**row, "seed": row["seed"] + 2} for row in found["rows"]]
    out.mkdir()
    results.write(out, "decorrelated_pairs", config, rows)
    return out


def test_merge_joins_runs(pairs, tmp_path):
    other = of_other_seeds(pairs, tmp_path / "other")
    tool("merge", pairs, other, "--out", tmp_path / "m")
    joined, rows = results.read(tmp_path / "m"), results.read(pairs)["rows"]
    assert joined["config"] == {**results.read(pairs)["config"], "seeds": [0, 1, 2, 3]}
    assert joined["rows"] == [*rows, *results.read(other)["rows"]]
    assert (tmp_path / "m" / "figures" / "transfer.png").is_file()


def test_merge_names_the_setting_that_differs(pairs, tmp_path, capsys):
    other = of_other_seeds(pairs, tmp_path / "other", ridge=0.5)
    line = refused(capsys, tool, "merge", pairs, other, "--out", tmp_path / "m")
    assert "runs differ in ridge: 0.00012 and 0.5; merge runs of one configuration" in line
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_parametric_distance_end_to_end(tmp_path):
    words = small("parametric_distance", tmp_path / "run", "--save-adversarial", "3")
    run("parametric_distance", *words)
    with np.load(tmp_path / "run" / "adversarial.npz") as kept:
        assert kept["cnn/fgsm_linf/1"].shape == (4, 1, 3, 8, 8, 1)
    found = results.read(tmp_path / "run")
    chosen = results.select(found["rows"], metric="transfer_rate", eps=0.1, target="2")
    assert sorted({row["target_distance"] for row in chosen}) == [50.0, 100.0]
    assert all(row["distance"] > 0 for row in chosen)
    assert results.select(found["rows"], metric="r_squared", attack="fgsm", source="1")
    assert (tmp_path / "run" / "figures" / "distance.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "imagenet"], "imagenet"),
        (["--eps", "-0.1"], "-0.1"),
        (["--strengths", "-1"], "-1"),
        (["--strengths", "0.1", "0.1"], "each once"),
        (["--eps"], "--eps"),
        (["--eps", "0.1", "0.1000000001"], "each once"),  # one radius in float32
        (["--seeds", "0"], "--seeds 0"),
        (["--first-seed", "4294967295"], "--first-seed 4294967295"),
        (["--preset", "enormous"], "enormous"),
        (["--batch-size", "64"], "64 samples for 200 features"),
        (["--batch-size", "5000"], "--batch-size 5000: there are 1437 training images"),
        (["--data", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["--from", "nowhere"], "nowhere"),
        (["--pgd-steps", "0"], "--pgd-steps 0"),
        (["--train-examples", "999999"], "999999"),
        (["--train-examples", "400"], "400 train images for 200 features"),
        (["--models", "cnn", "fc", "--batch-size", "100"], "100 samples for 200 features"),
        (["--batch-size", "0"], "--batch-size 0"),
        (["--epochs", "-3"], "--epochs -3"),
        (["--eps", "nan"], "--eps nan"),
        (["--eps", "inf"], "--eps inf"),
        (["--sketch-width", "-5"], "--sketch-width -5"),
        (["--pgd-examples", "-5"], "--pgd-examples -5"),
        (["--save-adversarial", "-5"], "--save-adversarial -5"),
        (["--ramp-epochs", "-1"], "--ramp-epochs -1"),
        (["--models", "vgg"], "vgg"),
        (["--epocs", "3"], "--epocs"),
        (["--epochs", "many"], "many"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, capsys, words, expected):
    settings = small("decorrelated_pairs", tmp_path / "run", *words)
    assert expected in refused(capsys, run, "decorrelated_pairs", *settings)
    assert not (tmp_path / "run" / "results.json").exists()
    assert not (tmp_path / "run" / "checkpoints").exists()  # refused before anything was trained


def test_a_truncated_data_file_is_one_line_and_status_2(tmp_path, capsys):
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(b"\x00\x00\x08\x03\x00\x00")
        (folder / name.replace("train", "t10k")).write_bytes(b"\x00\x00\x08\x03\x00\x00")
    words = ["--data", "mnist", "--data-dir", str(tmp_path)]
    settings = small("decorrelated_pairs", tmp_path / "run", *words)
    assert "idx" in refused(capsys, run, "decorrelated_pairs", *settings)


def test_an_output_folder_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    words = small("decorrelated_pairs", tmp_path / "file" / "run")
    assert "file" in refused(capsys, run, "decorrelated_pairs", *words)


def test_a_refused_run_does_not_keep_its_folder(tmp_path, capsys):
    words = small("decorrelated_pairs", tmp_path / "run", "--batch-size", "64")
    refused(capsys, run, "decorrelated_pairs", *words)
    assert results.claim(tmp_path / "run", {"other": 1}, resume=False) is None


def test_measurements_of_a_run_that_was_stopped_are_taken_up(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return parts.Measured([{"value": 0.5}], {"a/b": np.arange(3)}, {"c": np.ones(2)})

    first, again = (parts.once(tmp_path, "cnn-fgsm", make) for _ in range(2))
    assert len(calls) == 1
    assert again.rows == first.rows
    np.testing.assert_array_equal(again.arrays["a/b"], np.arange(3))
    np.testing.assert_array_equal(again.images["c"], np.ones(2))
    path = tmp_path / "measured" / "cnn-fgsm.npz"
    path.write_bytes(path.read_bytes()[:50])
    assert parts.once(tmp_path, "cnn-fgsm", make).rows == first.rows
    assert len(calls) == 2  # damaged: measured again
    parts.write(tmp_path, "study", {}, again)
    assert not (tmp_path / "measured").exists()


def test_settings_that_are_not_settings(tmp_path, capsys):
    (tmp_path / "config.json").write_text("[]")
    (tmp_path / "other").mkdir()
    words = small("decorrelated_pairs", tmp_path)
    assert "config.json" in refused(capsys, run, "decorrelated_pairs", *words)


@pytest.mark.parametrize("name", TOOLS)
def test_a_wrong_option_of_a_tool(name, capsys):
    assert "--colour" in refused(capsys, tool, name, "--colour", "red")


def test_plot_of_a_folder_without_results(tmp_path, capsys):
    assert "results.json" in refused(capsys, tool, "plot", tmp_path)


def test_help_lists_every_setting_with_its_unit(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("decorrelated_pairs", "--help")
    assert stopped.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in (option.name for option in options(find("decorrelated_pairs").presets["smoke"])):
        typed = "from" if name == "from_dir" else name.replace("_", "-")
        typed = "data" if name == "dataset" else typed
        assert re.search(rf"--{typed}[ ,]", text), name
    assert "image range [0, 1]" in text


@pytest.mark.parametrize("name", names())
def test_help_says_what_a_study_is_and_how_long_its_presets_take(name):
    text = about(find(name), 72)
    assert all(len(line) <= 72 for line in text.splitlines())
    figure = find(name).paper.partition("; ")[0].rpartition(", ")[2]  # such as "Fig 4"
    assert text.startswith(figure) or name in ("disagreement_detection", "surrogate_defence")
    listed = " ".join(text.split()).rpartition("on two cores: ")[2].rstrip(".").split(", ")
    assert [words.split()[0] for words in listed] == [*find(name).presets]


def test_results_are_plain_json(pairs):
    content = json.loads((pairs / "results.json").read_text())
    assert set(content) == {"experiment", "config", "environment", "rows", "arrays", "sha256"}
