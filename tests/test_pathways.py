"""The studies of the dual-neck autoencoder end to end on the embedded digits, and misused."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from experiments.frame.measure.pathways import sources_of
from jaxadv import metrics, results
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = (
    "--preset smoke --seeds 2 --epochs 2 --classifier-epochs 2 --eps 0.0 0.1 --pgd-steps 2 "
    "--pgd-examples 40 --attacks fgsm pgd --combine loss single --save-adversarial 4"
)
RATES = ("any_correct", "average_correct", "dual_correct", "either_correct", "dual_incorrect")


FEW = ("--attacks", "fgsm", "--combine", "loss")


def few_of(study: Path) -> list[results.Row]:
    """The rows of natural images and of these attacks."""
    rows = results.read(study)["rows"]
    kept = ({"attack": "fgsm", "combine": "loss"}, {"attack": None})
    return [row for row in rows if any(results.select([row], **where) for where in kept)]


def small(study: str, out: Path, *words: object) -> None:
    own = {"dna": ["--baseline"], "dna_sharing": []}[study]
    run(study, *SMALL.split(), *own, "--out", out, *words)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dna") / "run"
    small("dna", out, "--adversarial-epochs", "1")
    return out


@pytest.mark.slow
def test_every_network_is_measured_in_every_direction(study):
    rows = results.read(study)["rows"]
    names = ["DNA λ=0.005", "DNA λ=0", "AE"]
    for network in [*names, *(f"{name} + FGSM" for name in names)]:
        for metric in (*RATES, "det_correct", "squared_error"):
            natural = results.select(rows, metric=metric, variant=network, attack=None)
            assert [row["seed"] for row in natural] == [0, 1]
            for attack in ("fgsm", "pgd"):
                for combine in ("loss", "single"):
                    at = {"attack": attack, "combine": combine, "eps": 0.1, "metric": metric}
                    found = results.select(rows, variant=network, **at)
                    both = combine == "single" and network != "AE" and "AE +" not in network
                    assert len(found) == (4 if both else 2)
                    assert all(row["n"] == (40 if attack == "pgd" else 360) for row in found)
    for metric in ("r_squared", "r_squared_held_out"):
        assert len(results.select(rows, metric=metric, variant=names[0])) == 4
    assert len(results.select(rows, metric="transfer_rate", variant=names[0], eps=0.1)) == 8


@pytest.mark.slow
def test_the_rates_of_a_row_set_add_up(study):
    rows = results.read(study)["rows"]
    keys = ("variant", "seed", "attack", "combine", "eps", "source")
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


@pytest.mark.slow
def test_radius_zero_is_the_natural_image(study):
    rows = results.read(study)["rows"]
    for row in results.select(rows, attack="fgsm", eps=0.0, combine="loss"):
        if row["metric"] in (*RATES, "det_correct"):
            where = {key: row[key] for key in ("metric", "variant", "seed")}
            (clean,) = results.select(rows, attack=None, **where)
            assert row["value"] == pytest.approx(clean["value"])


@pytest.mark.slow
def test_rates_follow_from_the_kept_predictions(study):
    with np.load(study / "predictions.npz") as kept:
        classes = kept["dna/pgd_linf_loss/adversarial_class"]  # [runs, eps, sources, M, N]
        labels, errors = kept["dna/pgd_linf_loss/labels"], kept["dna/pgd_linf_loss/error"]
        assert classes.shape == (4, 2, 1, 2, 40)  # λ by seeds
        assert kept["dna-fgsm/pgd_linf_loss/adversarial_class"].shape == classes.shape
    rates = metrics.pathway_rates(classes[0, 1, 0] != labels, errors[0, 1, 0])
    rows = results.read(study)["rows"]
    at = {"attack": "pgd", "combine": "loss", "eps": 0.1, "seed": 0, "variant": "DNA λ=0.005"}
    for name, rate in rates.items():
        (row,) = results.select(rows, metric=name, **at)
        assert row["value"] == pytest.approx(rate.value)


@pytest.mark.slow
def test_saved_adversarial_images_keep_the_ball(study):
    with np.load(study / "adversarial.npz") as kept:
        for name in (
            "dna/pgd_linf_loss/all",
            "dna-fgsm/pgd_linf_single/2",
            "ae/fgsm_linf_loss/1",
            "ae-fgsm/pgd_linf_loss/1",
        ):
            images = kept[name]
            assert images.shape == (2 if name.startswith("ae") else 4, 2, 4, 8, 8, 1)
            moved = np.abs(images.astype(float) - kept[f"{name.rpartition('/')[0]}/natural"]).max(
                (2, 3, 4, 5)
            )
            assert (moved[:, 0] == 0).all()
            assert (moved[:, 1] <= 0.1 + 1e-6).all()


@pytest.mark.slow
def test_figures_and_pictures(study):
    names = {path.name for path in (study / "figures").iterdir()}
    panels = {f"metrics-{combine}.png" for combine in ("loss", "single")}
    assert names == {"accuracy.png", "pictures.png", *panels}
    with np.load(study / "predictions.npz") as kept:
        natural, perturbed, _, _ = kept["pictures"]
    assert np.abs(perturbed - natural).max(initial=0) <= 0.1 + 1e-6


@pytest.mark.slow
def test_stopped_in_the_midst_of_a_stage_and_resumed_equals_uninterrupted(
    study, tmp_path, monkeypatch
):
    """Both epochs of the autoencoder are saved and one of two of the classifier's."""
    out, words = tmp_path / "run", ("--adversarial-epochs", "1", "--no-baseline", *FEW)
    stop_after(3, monkeypatch, partial(small, "dna", out, *words))
    (kept,) = (out / "checkpoints" / "dna-classifier").iterdir()
    assert kept.name == "epoch-1"
    small("dna", out, *words, "--resume")
    assert results.read(out)["rows"] == [row for row in few_of(study) if row["model"] == "dna"]


@pytest.mark.slow
def test_from_reuses_every_stage(study, tmp_path):
    out = tmp_path / "again"
    small("dna", out, "--adversarial-epochs", "1", "--from", study, *FEW)
    assert results.read(out)["rows"] == few_of(study)


@pytest.mark.slow
def test_sharing_end_to_end(tmp_path):
    small("dna_sharing", tmp_path / "run", *FEW)
    rows = results.read(tmp_path / "run")["rows"]
    chosen = results.select(rows, metric="any_correct", attack="fgsm", eps=0.1, combine="loss")
    assert sorted({row["variant"] for row in chosen}) == ["2 unshared", "6 unshared"]
    assert (tmp_path / "run" / "figures" / "accuracy.png").stat().st_size > 5000


@pytest.mark.slow
def test_residual_networks_train_attack_and_draw(tmp_path):
    words = ["--model", "residual", "--augment", "--batch-size", "200", "--seeds", "1"]
    words += ["--epochs", "1", "--classifier-epochs", "1", "--classifier-batch-size", "100"]
    words += ["--train-examples", "200", "--strengths", "0.05", "--no-baseline"]
    words += ["--adversarial-epochs", "0", "--attacks", "pgd", "--combine", "min"]
    small("dna", tmp_path / "run", *words, "--pgd-examples", "8", "--pgd-steps", "1")
    rows = results.read(tmp_path / "run")["rows"]
    (row,) = results.select(rows, metric="any_correct", attack="pgd", eps=0.1)
    assert row["n"] == 8


@pytest.mark.slow
def test_devices_do_not_matter(tmp_path):
    # a few steps: Adam turns a gradient's rounding, which differs, into whole steps
    few = "--epochs 1 --classifier-epochs 1 --batch-size 359 --classifier-batch-size 359"
    words = [*few.split(), *FEW, "--no-baseline"]
    small("dna", tmp_path / "one", *words)
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
        ("dna", ["--combine"], "--combine"),
        ("dna", ["--combine", "product"], "product"),
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
    assert expected in refused(capsys, small, name, tmp_path / "run", *words)
    assert not (tmp_path / "run" / "checkpoints").exists()  # refused before anything was trained


def test_one_pathway_has_one_source():
    assert sources_of("loss", 1) == sources_of("single", 1) == {"1": (0,)}
    assert sources_of("min", 3) == {"all": (0, 1, 2)}
    assert [*sources_of("single", 2).items()] == [("1", (0,)), ("2", (1,))]
