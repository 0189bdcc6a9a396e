"""Runs go on from their own checkpoints alone, and only from whole ones."""

import shutil
from pathlib import Path

import jax.numpy as jnp
import pytest

from experiments import dverge
from experiments.frame import kept
from experiments.frame.grid import Cohort
from experiments.frame.job import Job
from jaxadv import checkpoint, results
from jaxadv.data import load_dataset
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = "--preset smoke --seeds 1 --strengths 0.05 --attacks fgsm --balls linf --eps 0.1"
EPOCHS = ("--epochs", "3")


def small(out: Path, *words: object, study: str = "decorrelated_pairs") -> None:
    run(study, *SMALL.split(), *EPOCHS, "--out", out, *words)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A run stopped after two of its epochs: both are kept, the last is not."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patched:
        stop_after(2, patched, lambda: small(out))
    return out


@pytest.fixture(scope="module")
def straight(stopped, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("straight") / "run"
    shutil.copytree(stopped, out)
    small(out, "--resume")
    return out


@pytest.fixture
def other(tmp_path, monkeypatch) -> Path:
    """A run of fewer epochs, stopped after the first."""
    out = tmp_path / "other"
    stop_after(1, monkeypatch, lambda: small(out, "--epochs", "2"))
    return out


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_is_refused_by_name(straight, other, tmp_path, capsys):
    """Longer trained networks, in the place of those of a run that goes on or is reused."""
    there = other / "checkpoints/fc"
    shutil.rmtree(there)
    shutil.copytree(straight / "checkpoints/fc", there)
    words = ("--epochs", "2")
    expected = "epoch-3: trained with epochs 3, not 2"
    assert expected in refused(capsys, small, other, *words, "--resume")
    reused = (*words, "--from", str(other))
    assert expected in refused(capsys, small, tmp_path / "again", *reused)


@pytest.mark.slow
def test_another_studys_folder_is_refused(other, capsys):
    """Whatever settings two studies share: they name themselves."""
    words = ("--epochs", "2", "--resume")
    line = refused(capsys, small, other, *words, study="surrogate_defence")
    assert "experiment 'decorrelated_pairs', now 'surrogate_defence'" in line


@pytest.mark.slow
def test_it_goes_on_from_the_checkpoint_before_a_damaged_one(stopped, straight, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(stopped, out)
    last = next((out / "checkpoints/fc/epoch-2").rglob("ocdbt*/d/*"))
    last.write_bytes(last.read_bytes()[:-1] + b"?")
    capsys.readouterr()
    small(out, "--resume")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "epoch-2: the checkpoint is damaged" in line
    assert "epoch-1 is taken instead" in line
    assert results.read(out)["rows"] == results.read(straight)["rows"]


@pytest.mark.parametrize(("lost", "left"), [(2, set()), (3, {2}), (4, {2, 3, 4})])
def test_it_goes_back_to_before_the_first_part_that_is_lost(lost, left, tmp_path, capsys):
    """DVERGE measures networks that are then trained on; epochs 3 and 4 are kept, and 2 beside."""
    where, names = tmp_path / "checkpoints/fc-dverge", [f"fc-epoch-{n}" for n in (1, 2, 3, 4)]
    for name in names:
        kept.write(tmp_path / "measured", name, [], {}, {})
    for epoch in (2, 3, 4):
        checkpoint.save(where, {"w": jnp.ones(2)}, epoch)
    checkpoint.save(tmp_path / "spare", {"w": jnp.ones(2)}, 2)
    (tmp_path / "spare/epoch-2").rename(where / "epoch-2")
    (tmp_path / "measured" / f"fc-epoch-{lost}.npz").write_bytes(b"")
    settings = dverge.PRESETS["smoke"].but(dverge_epochs=4)
    job = Job(settings, load_dataset("digits"), tmp_path, [], Cohort("fc", "fc", None, []))
    dverge.go_back(job, "dverge")  # the last is measured without going back
    assert {int(path.name[6:]) for path in where.iterdir()} == left
    assert ("goes back" in capsys.readouterr().err) == (lost < 4)


@pytest.mark.slow
def test_what_a_kill_after_the_last_write_left_is_cleared(straight, tmp_path):
    """The parts are removed when the results have been written: here not all were."""
    out = tmp_path / "run"
    shutil.copytree(straight, out)
    config = results.read_config(out)
    kept.write(out / "measured", "fc-fgsm_linf", [], {}, config)
    small(out, "--resume")
    assert not (out / "measured").exists()
