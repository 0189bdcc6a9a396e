"""Checkpoints: the newest whole one is found, damage is named."""

import gc
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import checkpoint, manifest
from jaxadv.errors import UserError
from jaxadv.training import State

STATE = State({"params": {"w": jnp.arange(6.0).reshape(2, 3)}}, (), jnp.int32(3), jnp.uint32(7), {})


def test_a_state_reads_back_and_the_newest_two_are_kept(tmp_path):
    for epoch in (1, 3):
        checkpoint.save(tmp_path, STATE, epoch)
    newer = jax.tree.map(lambda leaf: leaf + 1, STATE)
    checkpoint.save(tmp_path, newer, 12)
    found = checkpoint.latest(tmp_path, STATE)
    chex.assert_trees_all_equal(found, newer)
    assert isinstance(found, State)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-12", "epoch-3"]


def test_none_where_there_is_none(tmp_path):
    assert checkpoint.latest(tmp_path / "absent", STATE) is None


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    checkpoint.save(tmp_path, STATE, 1)
    (tmp_path / "epoch-2.orbax-checkpoint-tmp-5").mkdir()
    found = checkpoint.latest(tmp_path, STATE)
    np.testing.assert_array_equal(found.epoch, STATE.epoch)


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoint.save(tmp_path, STATE, 1)
    for path in (tmp_path / "epoch-1").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(UserError, match=r"epoch-1: the checkpoint is damaged .*start afresh"):
        checkpoint.latest(tmp_path, STATE)


def test_other_settings_are_named(tmp_path):
    """What it was saved with beside those asked for is passed over; asked for nothing, all is."""
    saved = {"epochs": 20, "seeds": (0, 1), "strengths": [0.05], "training": {"lr": 0.1}}
    checkpoint.save(tmp_path, STATE, 8, saved)
    assert checkpoint.latest(tmp_path, STATE, {"epochs": 20, "seeds": [0, 1]}) is not None
    assert checkpoint.latest(tmp_path, STATE) is not None
    with pytest.raises(UserError, match="epoch-8: trained with epochs 20, not 8"):
        checkpoint.latest(tmp_path, STATE, {"seeds": [0, 1], "epochs": 8})
    with pytest.raises(UserError, match=r"epoch-8: trained with lr 0\.1, not 0\.2"):
        checkpoint.latest(tmp_path, STATE, {"seeds": [0, 1], "training": {"lr": 0.2}})
    with pytest.raises(UserError, match="trained with data None, not 'mnist'"):
        checkpoint.latest(tmp_path, STATE, {"data": "mnist"})


def test_another_epochs_name_is_named(tmp_path):
    checkpoint.save(tmp_path, STATE, 20)
    (tmp_path / "epoch-20").rename(tmp_path / "epoch-8")
    with pytest.raises(UserError, match="it was written as epoch 20"):
        checkpoint.latest(tmp_path, STATE)


def test_an_earlier_versions_checkpoint_is_taken_with_a_line(tmp_path, capsys):
    checkpoint.save(tmp_path, STATE, 1)
    (tmp_path / "epoch-1" / manifest.NAME).unlink()
    found = checkpoint.latest(tmp_path, STATE, {"epochs": 8})
    chex.assert_trees_all_equal(found, STATE)
    (line,) = capsys.readouterr().err.splitlines()
    assert "an earlier version's checkpoint: whether it is whole, and by which settings" in line


def test_going_back(tmp_path):
    for epoch in (2, 5):
        checkpoint.save(tmp_path, STATE, epoch)
    assert not checkpoint.rewind(tmp_path, 5)
    assert checkpoint.rewind(tmp_path, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-2"]
    assert checkpoint.rewind(tmp_path, 0)
    assert checkpoint.latest(tmp_path, STATE) is None


def test_another_shape_is_named(tmp_path):
    checkpoint.save(tmp_path, STATE, 1)
    other = STATE._replace(variables={"params": {"w": jnp.zeros((2, 4))}})
    with pytest.raises(UserError, match="does not fit"):
        checkpoint.latest(tmp_path, other)


def test_a_loaded_state_runs_the_program_compiled_for_a_fresh_one(tmp_path):
    program = jax.jit(lambda state: state.variables["params"]["w"].sum())
    program(STATE)
    checkpoint.save(tmp_path, STATE, 1)
    program(checkpoint.latest(tmp_path, STATE))
    assert program._cache_size() == 1


@pytest.mark.parametrize(
    ("like", "said"),
    [
        ({"w": jnp.zeros((2, 3), jnp.int32)}, r"w is float32 \[2, 3\] there, int32 \[2, 3\] here"),
        ({"w": jnp.zeros((2, 3), jnp.bfloat16)}, r"there, bfloat16 \[2, 3\] here"),
        ({"w": jnp.zeros((3, 2))}, r"w is float32 \[2, 3\] there, float32 \[3, 2\] here"),
        ({"v": jnp.zeros((2, 3))}, "v is absent there"),
        ({"w": jnp.zeros((2, 3)), "b": 1}, "b is absent there"),
        ({"w": jnp.zeros((2, 0))}, r"float32 \[2, 0\] here"),
    ],
)
def test_what_differs_is_named_in_one_line_and_nothing_else_is_said(tmp_path, capfd, like, said):
    """Orbax casts data types in silence, and prints a hundred lines about shapes."""
    checkpoint.save(tmp_path, {"w": jnp.arange(6.0).reshape(2, 3)}, 1)
    with pytest.raises(UserError, match=said) as refused:
        checkpoint.latest(tmp_path, like)
    assert "\n" not in str(refused.value)
    gc.collect()
    assert capfd.readouterr().err == ""


def test_numbers_and_empty_arrays_read_back(tmp_path):
    state = {
        "numpy": np.float32(1.5),
        "wide": np.int64(2**40),
        "python": 0.1,
        "flag": True,
        "empty": jnp.zeros((0, 3), jnp.bfloat16),
        "none": np.zeros((2, 0)),
        "half": jnp.ones(2, jnp.float16),
    }
    checkpoint.save(tmp_path, state, 1)
    found = checkpoint.latest(tmp_path, state)
    assert found["numpy"] == np.float32(1.5)
    assert found["wide"] == 2**40  # not narrowed to int32
    assert found["python"] == 0.1  # not to float32
    assert found["flag"]
    assert found["empty"].shape == (0, 3)
    assert found["empty"].dtype == jnp.bfloat16
    assert found["none"].dtype == np.float64
    assert found["half"].dtype == jnp.float16


@pytest.mark.parametrize("leaf", ["text", object(), np.array(["a"]), 10**40])
def test_what_is_no_number_is_named(tmp_path, leaf):
    with pytest.raises(UserError, match="the state's a/b is "):
        checkpoint.save(tmp_path, {"a": {"b": leaf}, "c": 1.0}, 1)
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_before_the_last_is_not_saved(tmp_path):
    """`latest` would go on giving the later one."""
    checkpoint.save(tmp_path, {"w": jnp.ones(2)}, 5)
    with pytest.raises(UserError, match="epoch 5 is saved there already, epoch 3"):
        checkpoint.save(tmp_path, {"w": jnp.zeros(2)}, 3)
    checkpoint.save(tmp_path, {"w": jnp.full(2, 7.0)}, np.int64(5))  # the same one again
    np.testing.assert_array_equal(checkpoint.latest(tmp_path, {"w": jnp.ones(2)})["w"], 7.0)


@pytest.mark.parametrize("epoch", [-1, 1.0, True, "3", None])
def test_an_epoch_that_latest_would_never_find_is_refused(tmp_path, epoch):
    with pytest.raises(UserError, match="whole number from 0"):
        checkpoint.save(tmp_path, {"w": jnp.ones(2)}, epoch)


def test_damaged_data_are_one_line_and_nothing_else_is_said(tmp_path, capfd):
    """Of an earlier version's checkpoint, which has no sums, so that Orbax reads them."""
    checkpoint.save(tmp_path, {"w": jnp.arange(6000.0)}, 1)
    (tmp_path / "epoch-1" / manifest.NAME).unlink()
    for path in (tmp_path / "epoch-1" / "state").rglob("d/*"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(UserError, match="is damaged") as refused:
        checkpoint.latest(tmp_path, {"w": jnp.zeros(6000)})
    assert "\n" not in str(refused.value)
    gc.collect()
    assert capfd.readouterr().err == ""


FAILS = """
import shutil, sys, threading, pathlib
import jax.numpy as jnp
from experiments.frame import cli
from jaxadv import checkpoint
cli.AS_SCRIPT = True
folder = pathlib.Path(sys.argv[1])
def remove():  # as another run in the same folder would
    while True:
        for path in folder.glob("*tmp*"):
            shutil.rmtree(path, ignore_errors=True)
threading.Thread(target=remove, daemon=True).start()
def saves():
    for epoch in range(100):
        checkpoint.save(folder, {"w": jnp.arange(6000.0), "b": jnp.int32(1)}, epoch)
cli.run(saves)
"""


@pytest.mark.slow
def test_after_a_failed_save_the_process_ends_with_one_line(tmp_path):
    """Orbax's threads wait for each other for minutes, and Python for them."""
    command = [sys.executable, "-c", FAILS, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert "cannot be written" in lines[0]
    assert ended.returncode == 2


FULL = """
import resource, sys
import numpy as np
from experiments.frame import cli
from jaxadv import checkpoint
cli.AS_SCRIPT = True
rng = np.random.default_rng(0)
def saves():
    checkpoint.save(sys.argv[1], {"w": rng.normal(size=1000)}, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    checkpoint.save(sys.argv[1], {"w": rng.normal(size=100000)}, 2)
cli.run(saves)
"""


@pytest.mark.slow
@pytest.mark.parametrize("room", [0, 200, 100_000])
def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays(tmp_path, room):
    """As a limit on the size of files has it: no file can grow beyond `room`."""
    command = [sys.executable, "-c", FULL, str(tmp_path), str(room)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    (line,) = ended.stderr.splitlines()
    assert "epoch-2: the checkpoint cannot be written" in line
    assert ended.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1"]
    assert checkpoint.latest(tmp_path, {"w": np.zeros(1000)}) is not None
