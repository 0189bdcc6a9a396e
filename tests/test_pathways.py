"""The studies of the dual-neck autoencoder end to end on the embedded digits, and misused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import cli, dna, dna_sharing, pathways
from jaxadv import metrics, results
from tests.stopping import stop_after
from tests.studies import refused, run

STUDIES = {"dna": dna, "dna_sharing": dna_sharing}
SMALL = (
    "--preset smoke --seeds 2 --epochs 3 --classifier-epochs 3 --eps 0.0 0.1 --pgd-steps 2 "
    "--pgd-examples 40 --attacks fgsm pgd --directions sum single"
)
RATES = ("any_correct", "average_correct", "dual_correct", "either_correct", "dual_incorrect")


def run(study: str, out: Path, *words: str) -> None:
    own = {"dna": ["--baseline"], "dna_sharing": []}[study]
    settings = [*SMALL.split(), *own, "--out", str(out), *words]
    module = STUDIES[study]
    cli.run(lambda: module.study(cli.parse(study, module.PRESETS, settings)))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dna") / "run"
    run("dna", out, "--adversarial-epochs", "1", "--save-adversarial", "4")
    return out


def test_every_network_is_measured_in_every_direction(study):
    rows = results.read(study)["rows"]
    names = ["DNA λ=0.005", "DNA λ=0", "AE"]
    for network in [*names, *(f"{name} + FGSM" for name in names)]:
        for metric in (*RATES, "det_correct", "squared_error"):
            natural = results.select(rows, metric=metric, variant=network, attack=None)
            assert [row["seed"] for row in natural] == [0, 1]
            for attack in ("fgsm", "pgd"):
                for direction in ("sum", "single"):
                    at = {"attack": attack, "direction": direction, "eps": 0.1, "metric": metric}
                    found = results.select(rows, variant=network, **at)
                    both = direction == "single" and network != "AE" and "AE +" not in network
                    assert len(found) == (4 if both else 2)
                    assert all(row["n"] == (40 if attack == "pgd" else 360) for row in found)
    for metric in ("r_squared", "r_squared_held_out"):
        assert len(results.select(rows, metric=metric, variant=names[0])) == 4
    assert len(results.select(rows, metric="transfer_rate", variant=names[0], eps=0.1)) == 8


def test_the_rates_of_a_row_set_add_up(study):
    rows = results.read(study)["rows"]
    keys = ("variant", "seed", "attack", "direction", "eps", "source")
    groups: dict[tuple, dict[str, float]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(key) for key in keys), {})[row["metric"]] = row["value"]
    for group in groups.values():
        if "any_correct" in group:
            parts = group["dual_correct"] + group["either_correct"] + group["dual_incorrect"]
            assert parts == pytest.approx(1)
            assert group["any_correct"] == pytest.approx(1 - group["dual_incorrect"])
            between = group["dual_correct"] - 1e-9, group["any_correct"] + 1e-9
            assert between[0] <= group["average_correct"] <= between[1]
            assert between[0] <= group["det_correct"] <= between[1]


def test_radius_zero_is_the_natural_image(study):
    rows = results.read(study)["rows"]
    for row in results.select(rows, attack="fgsm", eps=0.0, direction="sum"):
        if row["metric"] in (*RATES, "det_correct"):
            where = {key: row[key] for key in ("metric", "variant", "seed")}
            (clean,) = results.select(rows, attack=None, **where)
            assert row["value"] == pytest.approx(clean["value"])


def test_rates_follow_from_the_kept_predictions(study):
    with np.load(study / "predictions.npz") as kept:
        classes = kept["dna/pgd_linf_sum/adversarial_class"]  # [runs, eps, sources, M, N]
        labels, errors = kept["dna/pgd_linf_sum/labels"], kept["dna/pgd_linf_sum/error"]
        assert classes.shape == (8, 2, 1, 2, 40)  # λ and seeds, without and then with FGSM
    rates = metrics.pathway_rates(classes[0, 1, 0] != labels, errors[0, 1, 0])
    rows = results.read(study)["rows"]
    at = {"attack": "pgd", "direction": "sum", "eps": 0.1, "seed": 0, "variant": "DNA λ=0.005"}
    for name, rate in rates.items():
        (row,) = results.select(rows, metric=name, **at)
        assert row["value"] == pytest.approx(rate.value)


def test_saved_adversarial_images_keep_the_ball(study):
    with np.load(study / "adversarial.npz") as kept:
        for name in ("dna/pgd_linf_sum/all", "ae/fgsm_linf_sum/1", "dna/pgd_linf_single/2"):
            images = kept[name]
            assert images.shape == (4 if name.startswith("ae") else 8, 2, 4, 8, 8, 1)
            moved = np.abs(images.astype(float) - kept[f"{name.rpartition('/')[0]}/natural"]).max(
                (2, 3, 4, 5)
            )
            assert (moved[:, 0] == 0).all()
            assert (moved[:, 1] <= 0.1 + 1e-6).all()


def test_figures_and_pictures(study):
    names = {path.name for path in (study / "figures").iterdir()}
    panels = {f"metrics-{direction}.png" for direction in ("sum", "single")}
    assert names == {"accuracy.png", "pictures.png", *panels}
    with np.load(study / "predictions.npz") as kept:
        natural, perturbed, _, _ = kept["pictures"]
    assert np.abs(perturbed - natural).max(initial=0) <= 0.1 + 1e-6


def test_stopped_in_the_midst_of_a_stage_and_resumed_equals_uninterrupted(
    study, tmp_path, monkeypatch
):
    """Three epochs of the autoencoder are saved and two of three of the classifier's."""
    out = tmp_path / "run"
    words = ("--adversarial-epochs", "1", "--save-adversarial", "4")
    stop_after(5, monkeypatch, lambda: run("dna", out, *words))
    assert {path.name for path in (out / "checkpoints" / "dna-classifier").iterdir()} == {
        "epoch-1",
        "epoch-2",
    }
    run("dna", out, *words, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


def test_from_reuses_every_stage(study, tmp_path):
    out = tmp_path / "again"
    run("dna", out, "--adversarial-epochs", "1", "--from", str(study), "--directions", "sum")
    here, there = (results.read(folder)["rows"] for folder in (out, study))
    assert here == [row for row in there if row.get("direction") in (None, "sum")]


def test_sharing_end_to_end(tmp_path):
    run("dna_sharing", tmp_path / "run", "--attacks", "fgsm", "--directions", "sum")
    rows = results.read(tmp_path / "run")["rows"]
    chosen = results.select(rows, metric="any_correct", attack="fgsm", eps=0.1, direction="sum")
    assert sorted({row["variant"] for row in chosen}) == ["2 unshared", "6 unshared"]
    assert (tmp_path / "run" / "figures" / "accuracy.png").stat().st_size > 5000


@pytest.mark.slow
def test_residual_networks_train_attack_and_draw(tmp_path):
    words = ["--model", "residual", "--augment", "--batch-size", "200", "--seeds", "1"]
    words += ["--epochs", "1", "--classifier-epochs", "1", "--classifier-batch-size", "100"]
    words += ["--train-examples", "200", "--strengths", "0.05", "--no-baseline"]
    words += ["--adversarial-epochs", "0", "--attacks", "pgd", "--directions", "min"]
    run("dna", tmp_path / "run", *words, "--pgd-examples", "8")
    rows = results.read(tmp_path / "run")["rows"]
    (row,) = results.select(rows, metric="any_correct", attack="pgd", eps=0.1)
    assert row["n"] == 8


@pytest.mark.slow
def test_devices_do_not_matter(tmp_path, cache):  # noqa: F811
    # a few steps: Adam turns a gradient's rounding, which differs, into whole steps
    few = "--epochs 1 --classifier-epochs 1 --batch-size 359 --classifier-batch-size 359"
    words = [*few.split(), "--attacks", "fgsm", "--directions", "sum", "--no-baseline"]
    run("dna", tmp_path / "one", *words)
    out = tmp_path / "two"
    command = [sys.executable, "-m", "experiments.dna", *SMALL.split(), *words, "--out", str(out)]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    one, two = (results.read(folder)["rows"] for folder in (tmp_path / "one", out))
    assert [{**row, "value": None} for row in one] == [{**row, "value": None} for row in two]
    for a, b in zip(one, two, strict=True):
        if a["metric"] in ("squared_error", "r_squared"):
            assert a["value"] == pytest.approx(b["value"], rel=1e-3)
        elif "correct" in a["metric"]:  # rounding may turn an image that is on the edge
            assert a["value"] == pytest.approx(b["value"], abs=1.5 / a["n"])


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("dna", ["--batch-size", "60"], "60 samples for 64 features"),
        ("dna", ["--train-examples", "50", "--model", "residual"], "--batch-size 72: there are 50"),
        ("dna", ["--directions"], "--directions"),
        ("dna", ["--directions", "product"], "product"),
        ("dna", ["--classifier-epochs", "0"], "--classifier-epochs 0"),
        ("dna", ["--classifier-batch-size", "0"], "--classifier-batch-size 0"),
        (
            "dna",
            ["--classifier-batch-size", "9999"],
            "--classifier-batch-size 9999: there are 1437",
        ),
        ("dna", ["--adversarial-eps", "-1"], "--adversarial-eps -1"),
        ("dna", ["--model", "transformer"], "transformer"),
        ("dna_sharing", ["--unshared", "3"], "3 unshared"),
        ("dna_sharing", ["--model", "residual"], "--model residual"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tmp_path, capsys, name, words, expected):
    assert expected in refused(capsys, lambda: run(name, tmp_path / "run", *words))
    assert not (tmp_path / "run" / "checkpoints").exists()  # refused before anything was trained


def test_one_pathway_has_one_source():
    assert pathways.sources_of("sum", 1) == pathways.sources_of("single", 1) == {"1": (0,)}
    assert pathways.sources_of("min", 3) == {"all": (0, 1, 2)}
    assert json.dumps(pathways.sources_of("single", 2)) == '{"1": [0], "2": [1]}'
