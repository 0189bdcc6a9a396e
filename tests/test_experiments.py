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
from jaxadv.data import load_dataset
from tests.studies import refused, run, tool

SMALL = {
    "decorrelated_pairs": "--seeds 2 --epochs 4 --eps 0.0 0.1 --pgd-steps 2 --pgd-examples 40 "
    "--save-adversarial 5",
    "parametric_distance": "--seeds 2 --epochs 2 --eps 0.1 --distances 50 100",
}


def small(study: str, out: Path, *words: str) -> list[str]:
    return ["--preset", "smoke", *SMALL[study].split(), "--out", str(out), *words]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "run"
    run("decorrelated_pairs", *small("decorrelated_pairs", out))
    return out


def test_decorrelated_pairs_writes_every_row(pairs):
    found = results.read(pairs)
    assert found["config"]["seeds"] == [0, 1]
    assert found["config"]["data_title"].startswith("digits")
    rows = found["rows"]
    for variant in ("plain", "decorrelated"):
        natural = ("clean_accuracy", "live_columns", "r_squared", "r_squared_held_out")
        for metric in (*natural, "logit_r_squared_held_out", "component_share"):
            chosen = results.select(rows, metric=metric, variant=variant, attack=None)
            assert {row["seed"] for row in chosen} == {0, 1}, metric
        for attack, ball, eps in (("fgsm", "linf", 0.1), ("pgd", "l2", 0.8), ("fgm", "l2", 0.8)):
            at = {"variant": variant, "attack": attack, "ball": ball, "eps": eps}
            assert len(results.select(rows, metric="transfer_rate", **at)) == 4
            assert len(results.select(rows, metric="success_rate", source="all", **at)) == 2
    assert all(
        row["value"] is not None or row["n"] == 0 for row in rows if "transfer" in row["metric"]
    )


def test_eps_zero_attacks_change_nothing(pairs):
    rows = results.read(pairs)["rows"]
    for row in results.select(rows, metric="error_rate", attack="fgsm", eps=0.0, target="1"):
        where = {"variant": row["variant"], "seed": row["seed"], "target": "1"}
        (clean,) = results.select(rows, metric="clean_accuracy", **where)
        assert row["value"] == pytest.approx(1 - clean["value"])


def test_rates_follow_from_the_kept_predictions(pairs):
    rows = results.read(pairs)["rows"]
    with np.load(pairs / "predictions.npz") as kept:
        classes, labels = kept["fc/fgsm_linf/adversarial_class"], kept["fc/fgsm_linf/labels"]
    wrong = classes[0, 1, 0] != labels  # first run, eps 0.1, crafted on member 1: [M, N]
    where = {"attack": "fgsm", "ball": "linf", "eps": 0.1, "source": "1", "seed": 0}
    (row,) = results.select(rows, metric="transfer_rate", variant="plain", **where)
    assert row["n"] == wrong[0].sum()
    assert row["value"] == pytest.approx(wrong[1][wrong[0]].mean())


def test_saved_adversarial_images_keep_the_ball(pairs):
    with np.load(pairs / "adversarial.npz") as kept:
        for name in ("fgsm_linf", "fgm_l2", "pgd_linf", "pgd_l2"):
            eps = kept[f"fc/{name}/eps"][:, None]
            natural = kept[f"fc/{name}/natural"].astype(np.float64)
            for source in ("1", "2", "all"):
                images = kept[f"fc/{name}/{source}"]
                assert images.shape == (4, 2, 5, 8, 8, 1)  # runs, eps, images
                assert images.dtype == np.float32
                flat = (images.astype(np.float64) - natural).reshape(4, 2, 5, -1)
                norm = abs(flat).max(-1) if "linf" in name else np.linalg.norm(flat, axis=-1)
                assert (norm <= eps + 1e-7).all()
                assert (norm[:, 0] == 0).all()
                assert images.min() >= 0
                assert images.max() <= 1


def test_saved_images_and_predictions_say_which_test_images_they_are_of(pairs):
    test = load_dataset("digits").test
    with np.load(pairs / "adversarial.npz") as images, np.load(pairs / "predictions.npz") as kept:
        for name, count in {"fc/fgsm_linf": 360, "fc/pgd_linf": 40}.items():
            index = kept[f"{name}/index"]
            assert index.tolist() == [i * 360 // count for i in range(count)]
            assert (kept[f"{name}/labels"] == np.asarray(test.labels)[index]).all()
            first = images[f"{name}/index"]
            assert first.tolist() == index[:5].tolist()
            assert (images[f"{name}/labels"] == np.asarray(test.labels)[first]).all()
            pixels = np.asarray(test.images)[first] / np.float32(255)
            np.testing.assert_allclose(images[f"{name}/natural"], pixels, atol=1e-7)


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


@pytest.mark.slow
def test_from_reuses_the_trained_networks(pairs, tmp_path):
    """Whatever is then measured of them: here one of the attacks."""
    words = ("--from", str(pairs), "--attacks", "fgsm", "--balls", "linf")
    run("decorrelated_pairs", *small("decorrelated_pairs", tmp_path / "again", *words))
    rows = [r for r in results.read(pairs)["rows"] if r.get("attack") in (None, "fgsm")]
    assert results.read(tmp_path / "again")["rows"] == rows
    assert not (tmp_path / "again" / "checkpoints").exists()


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
