"""State dicts out of what training scripts save: wrappers, checkpoints, half precision."""

import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import load_torch_weights
from jaxadv.models.state_dicts import unwrapped
from jaxadv.models.torch_shapes import fitting
from tests.data.fixtures import assert_one_line
from tests.models.test_torch_weights import cnn_state, refused

HERE = Path("here.pt")
STATE = {"c1.weight": np.ones((2, 1), np.float32), "c1.bias": np.zeros(2, np.float32)}
PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
OPTIMIZER = {"state": {0: {"exp_avg": np.ones(3)}}, "param_groups": [{"lr": 0.1}]}


def same(found, expected=STATE):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_wrappers_names_are_taken_off(prefix):
    same(unwrapped({prefix + name: value for name, value in STATE.items()}, HERE))


def test_a_wrapper_within_a_network_is_taken_off():
    same(unwrapped({name.replace(".", ".module."): value for name, value in STATE.items()}, HERE))


@pytest.mark.parametrize(
    "saved",
    [
        {"state_dict": STATE},
        {"model": STATE, "optimizer": OPTIMIZER, "epoch": 3, "best": np.float64(0.9)},
        {"net": {f"module.{name}": value for name, value in STATE.items()}, "acc": 93.1},
        {"epoch": 3, "model_state_dict": STATE, "ema": STATE},
        {"checkpoint": {"state_dict": STATE}},
        {"state": {"model": STATE}},
        {"anything": STATE, "epoch": 3},
        {**STATE, "epoch": 3, "note": "hello", "optimizer": OPTIMIZER},
        {"model": {"width": 8}, "net": {"depth": 3}, "weights": STATE},
    ],
)
def test_a_state_dict_is_found_inside_a_checkpoint(saved):
    same(unwrapped(saved, HERE))


@pytest.mark.parametrize(
    ("saved", "parts"),
    [
        ([1, 2], ["state dict", "a list", "model.state_dict()"]),
        (None, ["a NoneType", "model.state_dict()"]),
        ({}, ["it holds nothing"]),
        ({"epoch": 3}, ["it holds 'epoch' (an int)"]),
        ({"generator": STATE, "critic": STATE}, ["'generator', 'critic'", "one network"]),
        ({"a.b": STATE["c1.bias"], "module.a.b": STATE["c1.bias"]}, ["'a.b'", "'module.a.b'"]),
    ],
)
def test_what_holds_no_single_state_dict_is_named(saved, parts):
    with pytest.raises(UserError) as error:
        unwrapped(saved, HERE)
    assert_one_line(error, HERE, *parts)


@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, np.float16, np.float64])
def test_half_precision_becomes_float32(rng, kind):
    state = {name: value.astype(kind) for name, value in cnn_state(rng).items()}
    fitted = fitting(state, "cnn", HERE)
    assert {value.dtype for value in fitted.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(fitted["l.bias"], state["l.bias"].astype(np.float32))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_wrapped_npz_loads(rng, tmp_path, prefix):
    state = cnn_state(rng)
    wrapped = {prefix + name: value for name, value in state.items()}
    np.savez(tmp_path / "w.npz", **wrapped, epoch=np.array(7))
    params = load_torch_weights(tmp_path / "w.npz", "cnn")["params"]
    np.testing.assert_array_equal(params["linear"]["kernel"], state["l.weight"].T)


def test_an_archive_of_other_files_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("weights/cor1", b"x")
    refused(tmp_path / "w.npz", "cnn", "w.npz", "weights/cor1", "torch.save")


@pytest.mark.parametrize("given", [None, 3, {"c1.weight": np.zeros(1)}])
def test_what_is_no_path_is_named(given):
    refused(given, "cnn", type(given).__name__, "give its path")


def test_the_whole_dictionary_saved_as_one_object_names_the_remedy(rng, tmp_path):
    np.savez(tmp_path / "w.npz", cnn_state(rng))
    refused(tmp_path / "w.npz", "cnn", "np.savez(path, **state)")
