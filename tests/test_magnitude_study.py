"""The study of input gradients' lengths end to end on the embedded digits, and misused."""

from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import gradient_magnitude
from experiments.frame.tables import gradients
from jaxadv import results
from jaxadv.training import State
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = "--preset smoke --lengths 0.5 2.0 4.0 --epochs 3 --igs-steps 2 --igs-examples 60"
small = partial(run, "gradient_magnitude", *SMALL.split(), "--out")


def test_pairs_are_the_first_length_with_each_other_of_one_seed():
    # Networks of lengths a, b, c by seeds 7, 8; a weight says which it is.
    weights = jnp.asarray([[70.0], [80.0], [71.0], [81.0], [72.0], [82.0]])
    seeds = jnp.asarray([7, 8] * 3)
    lengths = jnp.repeat(jnp.asarray([0.0, 1.0, 2.0]), 2)
    state = State({"w": weights}, (), jnp.zeros(6), seeds, {"gradient_norm": lengths})
    pairs = gradient_magnitude.paired(state, 2)
    expected = [[70, 71], [80, 81], [70, 72], [80, 82]]
    np.testing.assert_array_equal(pairs.variables["w"], expected)
    np.testing.assert_array_equal(pairs.seed, [7, 8, 7, 8])
    np.testing.assert_array_equal(pairs.varied["gradient_norm"], [1, 1, 2, 2])


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("magnitude") / "run"
    small(out)
    return out


@pytest.mark.slow
def test_every_pair_is_measured(study):
    rows = results.read(study)["rows"]
    for variant, length in (("0.1 & 0.5", 0.5), ("0.1 & 4", 4.0)):
        pairs = results.select(rows, variant=variant)
        assert {row["length"] for row in pairs} == {length}
        assert len(results.select(pairs, metric="transfer_rate", eps=0.1)) == 4
        norms = results.select(pairs, metric="gradient_norm", split="test")
        assert [row["seed"] for row in norms] == [100, 100, 101, 101]  # the paper's first seeds
    assert (study / "figures" / "transfer.png").exists()
    fits = gradients.length_fits(rows).lines
    assert [cells[3] for cells in fits] == ["1→2", "2→1"]
    assert all(float(cells[8]) <= 1 for cells in fits if cells[8] != "–")


@pytest.mark.slow
def test_the_first_network_is_the_same_in_every_pair(study):
    rows = results.read(study)["rows"]
    for metric in ("clean_accuracy", "gradient_norm"):
        values = [
            [row["value"] for row in results.select(rows, metric=metric, target="1", length=length)]
            for length in (0.5, 4.0)
        ]
        clean = [values[0][0], values[0][1]]
        assert values[1][:2] == clean


@pytest.mark.slow
def test_longer_gradients_are_longer(study):
    rows = results.select(results.read(study)["rows"], metric="gradient_norm", target="2")
    short, long = ([r["value"] for r in rows if r["length"] == length] for length in (0.5, 4.0))
    assert max(short) < min(long)


@pytest.mark.slow
def test_stopped_and_resumed_equals_uninterrupted(study, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stop_after(2, monkeypatch, partial(small, out))
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_from_attacks_the_networks_of_another_run(study, tmp_path):
    out = tmp_path / "again"
    small(out, "--from", study, "--igs-steps", "1")
    here, there = (results.read(folder)["rows"] for folder in (out, study))
    of = {"metric": "gradient_norm"}
    assert results.select(here, **of) == results.select(there, **of)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "lenet"], "images of 8×8: LeNet needs 10 pixels"),
        (["--lengths"], "--lengths"),
        (["--lengths", "-1"], "--lengths -1"),
        (["--lengths", "1", "1"], "name each once"),
        (["--lengths", "0.1", "1"], "--lengths 0.1: the first network's already"),
        (["--first", "inf"], "--first inf"),
        (["--batch-size", "2000"], "--batch-size 2000"),
    ],
)
def test_bad_input_gets_one_line(words, message, tmp_path, capsys):
    assert message in refused(capsys, small, tmp_path / "run", *words)
