"""The study of DVERGE end to end on the embedded digits, resumed, begun elsewhere, and misused."""

from pathlib import Path

import numpy as np
import pytest

from experiments import cli, decorrelated_pairs, dverge
from jaxadv import results
from jaxadv.data import Splits
from jaxadv.ensemble import stacked
from jaxadv.errors import UserError
from jaxadv.models import cnn, load_torch_weights
from tests.data.fixtures import assert_one_line
from tests.stopping import stop_after
from tests.test_experiments import cache, refused  # noqa: F401

SMALL = (
    "--preset smoke --seeds 2 --epochs 2 --dverge-epochs 2 --dverge-steps 2 --eps 0.1 "
    "--pgd-steps 2 --pgd-examples 40"
)


def run(out: Path, *words: str, study=dverge, small: str = SMALL) -> None:
    settings = [*small.split(), "--out", str(out), *words]
    cli.run(lambda: study.study(cli.parse(study.STUDY, study.PRESETS, settings)))


@pytest.fixture(scope="module")
def study(tmp_path_factory, cache) -> Path:  # noqa: F811
    out = tmp_path_factory.mktemp("dverge") / "run"
    run(out)
    return out


@pytest.mark.slow
def test_every_epoch_is_measured(study):
    rows = results.read(study)["rows"]
    for defence in ("plain", "decorrelated"):
        for epoch in (0, 1, 2):
            pairs = results.select(rows, defence=defence, epoch=epoch)
            assert len(results.select(pairs, metric="clean_accuracy", target="1")) == 2
            transfer = results.select(pairs, metric="transfer_rate", attack="pgd", eps=0.1)
            assert len(transfer) == 4
            errors = results.select(pairs, metric="error_rate", attack="pgd")
            assert {row["n"] for row in errors} == {40}
    of = {"metric": "clean_accuracy", "defence": "plain", "target": "1"}
    before, after = (results.select(rows, epoch=epoch, **of) for epoch in (0, 1))
    assert [row["value"] for row in before] != [row["value"] for row in after]
    assert {path.name for path in (study / "figures").iterdir()} == {"transfer.png", "success.png"}
    with np.load(study / "predictions.npz") as kept:  # of the last epoch
        assert kept["fc/pgd_linf/adversarial"].shape == (4, 1, 3, 2, 40, 10)


@pytest.mark.slow
def test_stopped_and_resumed_equals_uninterrupted(study, tmp_path, monkeypatch):
    """After the epoch of DVERGE, when it is measured and saved."""
    out = tmp_path / "run"
    stop_after(3, monkeypatch, lambda: run(out))
    run(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_what_is_lost_of_an_epoch_that_is_past_is_measured_again(study, tmp_path, monkeypatch):
    """Both epochs are saved and measured; the networks after the first are made once more."""
    out = tmp_path / "run"
    stop_after(4, monkeypatch, lambda: run(out))
    (out / "measured" / "fc-epoch-1.json").write_text("")
    run(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_a_finished_run_is_shown_and_measures_nothing_again(study, capsys):
    before = (study / "results.json").read_bytes()
    run(study, "--resume")
    assert "Transfer rate after each epoch" in capsys.readouterr().out
    assert (study / "results.json").read_bytes() == before
    assert not (study / "measured").exists()


@pytest.mark.slow
def test_layers_drawn_are_not_the_usual_one(study, tmp_path):
    out = tmp_path / "run"
    run(out, "--dverge-epochs", "1", "--dverge-layers", "1", "--pgd-examples", "20")
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
    small = "--preset smoke --seeds 2 --epochs 2 --attacks fgsm --balls linf --eps 0.1"
    run(pairs, study=decorrelated_pairs, small=small)
    run(out, "--from", str(pairs))
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
    assert message in refused(capsys, lambda: run(tmp_path / "run", *words))


def test_two_beginnings_are_one_too_many(tmp_path, capsys):
    words = ("--published", "--models", "cnn", "--from", "elsewhere")
    assert "begin at one of the two" in refused(capsys, lambda: run(tmp_path / "run", *words))


def test_what_trains_pairs_is_not_for_published_ones(tmp_path, capsys):
    words = ("--published", "--epochs", "5")
    line = refused(capsys, lambda: run(tmp_path / "run", *words, small="--preset paper"))
    assert "--epochs 5: published pairs are trained already" in line


def test_published_weights_that_are_not_there(tmp_path):
    words = ["--preset", "paper", "--published", "--published-dir", str(tmp_path)]
    settings = cli.parse("dverge", dverge.PRESETS, words)
    with pytest.raises(UserError) as error:
        dverge.train_pairs(settings, "cnn", stacked(cnn()), None, tmp_path)
    source = "the authors' repository, https://github.com/WANG-AXIS/DNA"
    names = ("cnn_decorrelated_2.npz", "--published-dir", "JAXADV_REFERENCE", "docs/published_w")
    assert_one_line(error, tmp_path / "cnn_plain_1.npz", source, *names)


def test_published_pairs_are_runs_of_both_kinds(reference_dir, mnist_test):
    settings = cli.parse(
        "dverge",
        dverge.PRESETS,
        ["--preset", "paper", "--published", "--published-dir", str(reference_dir), "--seeds", "2"],
    )
    splits = Splits("mnist", "MNIST", "files", mnist_test, mnist_test, tuple("0123456789"))
    state = dverge.train_pairs(settings, "cnn", stacked(cnn()), splits.train, reference_dir)
    np.testing.assert_array_equal(state.settings["strength"], np.float32([0, 0, 0.05, 0.05]))
    kernel = state.variables["params"]["linear"]["kernel"]
    for run_number, kind in ((0, "plain"), (1, "plain"), (2, "decorrelated")):
        for member in (0, 1):
            there = load_torch_weights(reference_dir / f"cnn_{kind}_{member + 1}.npz", "cnn")
            expected = there["params"]["linear"]["kernel"]
            np.testing.assert_array_equal(kernel[run_number, member], expected)
