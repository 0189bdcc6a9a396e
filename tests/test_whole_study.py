"""A whole study on the embedded digits: its rows, predictions, images, and its networks again."""

from pathlib import Path

import numpy as np
import pytest

from jaxadv import results
from jaxadv.data import load_dataset
from tests.studies import run

pytestmark = pytest.mark.slow
WORDS = [
    *("--preset", "smoke", "--seeds", "2", "--epochs", "4", "--eps", "0.0", "0.1"),
    *("--pgd-steps", "2", "--pgd-examples", "40", "--save-adversarial", "5"),
]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "run"
    run("decorrelated_pairs", *WORDS, "--out", str(out))
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


def test_from_reuses_the_trained_networks(pairs, tmp_path):
    """Whatever is then measured of them: here one of the attacks."""
    words = ("--from", str(pairs), "--attacks", "fgsm", "--balls", "linf")
    run("decorrelated_pairs", *WORDS, *words, "--out", str(tmp_path / "again"))
    rows = [r for r in results.read(pairs)["rows"] if r.get("attack") in (None, "fgsm")]
    assert results.read(tmp_path / "again")["rows"] == rows
    assert not (tmp_path / "again" / "checkpoints").exists()
