"""The study of input gradients' angles end to end on the embedded digits, and misused."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frame.measure.gradients import as_of_probabilities
from jaxadv import results
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = (
    "--preset smoke --seeds 2 --epochs 2 --goals perpendicular antiparallel --updates alternating "
    "simultaneous --eps 0.0 0.1 --confidence 0.5 --cw-steps 5 --cw-searches 2 --cw-examples 20 "
    "--train-examples 450"
)
small = partial(run, "gradient_alignment", *SMALL.split(), "--out")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("alignment") / "run"
    small(out)
    return out


def test_images_the_networks_are_sure_of_count_as_perpendicular_to_pytorch_of_2019():
    weights = jax.random.normal(jax.random.key(0), (2, 5, 3))
    images = jnp.asarray([[1.0, 0, 0, 0, 0], [0, 12, 0, 0, 0], [0, 0, 40, 0, 0]])

    def probability(weights, x):
        logits = x @ weights
        return jax.nn.softmax(logits)[jnp.argmax(logits)]  # both are the surer, the longer x is

    gradient = jax.vmap(jax.vmap(jax.grad(probability, 1), (None, 0)), (0, None))
    one, two = np.asarray(gradient(weights, images), np.float64)
    dots, lengths = np.sum(one * two, -1), np.linalg.norm([one, two], axis=-1).T
    products = lengths.prod(-1)
    assert products[0] > 1e-8 > products[1] > products[2]
    assert as_of_probabilities(dots / products, lengths) == pytest.approx(
        dots / np.maximum(products, 1e-8)
    )


@pytest.mark.slow
def test_every_goal_and_update_is_measured(study):
    rows = results.read(study)["rows"]
    for goal in ("perpendicular", "antiparallel"):
        for updates in ("alternating", "simultaneous"):
            pairs = results.select(rows, variant=f"{goal}, {updates}")
            for split, n in (("train", 450), ("test", 360)):
                (mean, _) = cosine = results.select(pairs, metric="cosine", split=split)
                assert [row["seed"] for row in cosine] == [150, 151]  # the paper counts from there
                assert mean["n"] == n
                absolute = results.select(pairs, metric="absolute_cosine", split=split)
                assert abs(mean["value"]) <= absolute[0]["value"] <= 1
                (found, _) = results.select(pairs, metric="cosine_of_probabilities", split=split)
                assert abs(found["value"]) <= absolute[0]["value"]
                assert len(results.select(pairs, metric="gradient_norm", split=split)) == 4
            assert len(results.select(pairs, metric="transfer_rate", attack="igs", eps=0.1)) == 4
            cw = results.select(pairs, metric="success_rate", attack="cw", confidence=0.5)
            assert [row["n"] for row in cw] == [20] * 6
            assert all("eps" not in row for row in cw)


@pytest.mark.slow
def test_radius_zero_is_the_natural_image(study):
    rows = results.read(study)["rows"]
    for row in results.select(rows, metric="error_rate", attack="igs", eps=0.0, source="1"):
        where = {key: row[key] for key in ("variant", "seed", "target")}
        (clean,) = results.select(rows, metric="clean_accuracy", attack=None, **where)
        assert row["value"] == pytest.approx(1 - clean["value"])


@pytest.mark.slow
def test_figures(study):
    names = {path.name for path in (study / "figures").iterdir()}
    assert names == {"transfer.png", "success.png"}


@pytest.mark.slow
def test_stopped_between_two_trainings_and_resumed_equals_uninterrupted(
    study, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    stop_after(
        3, monkeypatch, partial(small, out)
    )  # two epochs of the first updates, one of the second
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_from_attacks_the_networks_of_another_run(study, tmp_path):
    out = tmp_path / "again"
    small(out, "--from", study, "--igs-steps", "1")
    here, there = (results.read(folder)["rows"] for folder in (out, study))
    cosines = [[row["value"] for row in results.select(r, metric="cosine")] for r in (here, there)]
    np.testing.assert_array_equal(*cosines)


@pytest.mark.slow
def test_networks_that_diverge_end_no_study(tmp_path):
    out = tmp_path / "run"
    small(out, "--learning-rate", "1e15", "--updates", "alternating")
    rows = results.read(out)["rows"]
    accuracies = results.select(rows, metric="clean_accuracy", target="1")
    assert [(row["value"], row["n"]) for row in accuracies] == [(None, 360)] * 4
    for metric in ("cosine", "train_accuracy", "success_rate", "transfer_rate", "live_columns"):
        assert {row["value"] for row in results.select(rows, metric=metric)} == {None}, metric
    assert [row["n"] for row in results.select(rows, metric="cosine", split="test")] == [360] * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "lenet"], "images of 8×8: LeNet needs 10 pixels"),
        (["--goals", "orthogonal"], "orthogonal"),
        (["--updates"], "--updates"),
        (["--igs-steps", "0"], "--igs-steps 0"),
        (["--confidence", "-1"], "--confidence -1"),
        (["--batch-size", "451"], "--batch-size 451: there are 450 training"),
        (["--matching", "nan"], "--matching nan"),
        (["--square-strength", "-1"], "--square-strength -1"),
        (["--cw-first-constant", "0"], "--cw-first-constant 0.0"),
    ],
)
def test_bad_input_gets_one_line(words, message, tmp_path, capsys):
    assert message in refused(capsys, small, tmp_path / "run", *words)
