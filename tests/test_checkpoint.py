"""Checkpoints: the newest whole one is found, damage is named."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import checkpoint
from jaxadv.errors import UserError
from jaxadv.training import State

STATE = State({"params": {"w": jnp.arange(6.0).reshape(2, 3)}}, (), jnp.int32(3), jnp.uint32(7), {})


def test_a_state_reads_back_and_only_the_newest_is_kept(tmp_path):
    checkpoint.save(tmp_path, STATE, 1)
    newer = jax.tree.map(lambda leaf: leaf + 1, STATE)
    checkpoint.save(tmp_path, newer, 2)
    found = checkpoint.latest(tmp_path, STATE)
    chex.assert_trees_all_equal(found, newer)
    assert isinstance(found, State)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-2"]


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
    with pytest.raises(
        UserError, match="epoch-1: the checkpoint does not fit these networks or is damaged"
    ):
        checkpoint.latest(tmp_path, STATE)


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
