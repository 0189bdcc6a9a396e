"""The study of DVERGE end to end on the embedded digits, resumed, begun elsewhere, and misused."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jaxadv import results
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = (
    "--preset smoke --seeds 2 --epochs 2 --dverge-epochs 2 --dverge-steps 2 --eps 0.1 "
    "--pgd-steps 2 --pgd-examples 40"
)
small = partial(run, "dverge", *SMALL.split(), "--out")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dverge") / "run"
    small(out)
    return out


@pytest.mark.slow
def test_every_epoch_is_measured(study):
    rows = results.read(study)["rows"]
    for variant in ("plain", "decorrelated"):
        for epoch in (0, 1, 2):
            pairs = results.select(rows, variant=variant, epoch=epoch)
            assert len(results.select(pairs, metric="clean_accuracy", target="1")) == 2
            transfer = results.select(pairs, metric="transfer_rate", attack="pgd", eps=0.1)
            assert len(transfer) == 4
            errors = results.select(pairs, metric="error_rate", attack="pgd")
            assert {row["n"] for row in errors} == {40}
    of = {"metric": "clean_accuracy", "variant": "plain", "target": "1"}
    before, after = (results.select(rows, epoch=epoch, **of) for epoch in (0, 1))
    assert [row["value"] for row in before] != [row["value"] for row in after]
    assert {path.name for path in (study / "figures").iterdir()} == {"transfer.png", "success.png"}
    with np.load(study / "predictions.npz") as kept:  # of the last epoch
        assert kept["fc/pgd_linf/adversarial"].shape == (4, 1, 3, 2, 40, 10)


@pytest.mark.slow
def test_stopped_and_resumed_equals_uninterrupted(study, tmp_path, monkeypatch):
    """After the epoch of DVERGE, when it is measured and saved."""
    out = tmp_path / "run"
    stop_after(3, monkeypatch, partial(small, out))
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_what_is_lost_of_an_epoch_that_is_past_is_measured_again(study, tmp_path, monkeypatch):
    """Both epochs are saved and measured; the networks after the first are made once more."""
    out = tmp_path / "run"
    stop_after(4, monkeypatch, partial(small, out))
    (out / "measured" / "fc-epoch-1.json").write_text("")
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_a_finished_run_is_shown_and_measures_nothing_again(study, capsys):
    before = (study / "results.json").read_bytes()
    small(study, "--resume")
    assert "Transfer rate after each epoch" in capsys.readouterr().out
    assert (study / "results.json").read_bytes() == before
    assert not (study / "measured").exists()


@pytest.mark.slow
def test_layers_drawn_are_not_the_usual_one(study, tmp_path):
    out = tmp_path / "run"
    small(out, "--dverge-epochs", "1", "--dverge-layers", "1", "--pgd-examples", "20")
    first = {"metric": "clean_accuracy", "target": "1"}
    here, there = (results.read(folder)["rows"] for folder in (out, study))
    for epoch, same in ((0, True), (1, False)):
        values = [
            [row["value"] for row in results.select(rows, epoch=epoch, **first)]
            for rows in (here, there)
        ]
        assert (values[0] == values[1]) == same


@pytest.mark.slow
def test_it_begins_at_the_pairs_of_another_study(study, tmp_path):
    pairs, out = tmp_path / "pairs", tmp_path / "run"
    words = "--preset smoke --seeds 2 --epochs 2 --attacks fgsm --balls linf --eps 0.1"
    run("decorrelated_pairs", *words.split(), "--out", pairs)
    small(out, "--from", pairs)
    of = {"metric": "clean_accuracy"}
    here, there, alone = (
        [row["value"] for row in results.select(results.read(folder)["rows"], **of, **at)]
        for folder, at in ((out, {"epoch": 0}), (pairs, {}), (study, {"epoch": 0}))
    )
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(here, alone)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--published"], "--published: the pairs are --data mnist --models cnn --strengths 0 0"),
        (["--dverge-epochs", "0"], "--dverge-epochs 0"),
        (["--dverge-eps", "-0.1"], "--dverge-eps -0.1"),
        (["--dverge-steps", "0"], "--dverge-steps 0"),
        (["--dverge-layers", "1", "6"], "feature block 6: the network has 1 to 5"),
        (["--published-dir", "elsewhere"], "--published-dir elsewhere: add --published"),
    ],
)
def test_bad_input_gets_one_line(words, message, tmp_path, capsys):
    assert message in refused(capsys, small, tmp_path / "run", *words)


def test_two_beginnings_are_one_too_many(tmp_path, capsys):
    words = ("--published", "--models", "cnn", "--from", "elsewhere")
    assert "begin at one of the two" in refused(capsys, small, tmp_path / "run", *words)


def test_what_trains_pairs_is_not_for_published_ones(tmp_path, capsys):
    words = "--preset paper --published --epochs 5 --out"
    line = refused(capsys, run, "dverge", *words.split(), tmp_path / "run")
    assert "--epochs 5: published pairs are trained already" in line
