"""Files of `torch.save`, made here without PyTorch, and by PyTorch where it is installed."""

import pickle
import zipfile
from argparse import Namespace

import ml_dtypes
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import load_torch_weights
from jaxadv.models.state_dicts import read_state_dict
from tests.data.fixtures import assert_one_line
from tests.models.test_torch_weights import cnn_state
from tests.models.torch_made import Call, Named, View, save, save_in_a_row

WRITERS = [save, save_in_a_row]
NAMES = ["cor1", "w.pt", "w.pth", "w.pth.tar", "w.ckpt", "w.bin", "w.npz", "w.v2"]


def refused(path, *parts):
    with pytest.raises(UserError) as error:
        load_torch_weights(path, "cnn")
    assert_one_line(error, path, *parts)
    assert str(error.value).isprintable()


@pytest.fixture
def state(rng):
    return cnn_state(rng)


def loads(path, state):
    found = read_state_dict(path)
    assert set(found) == set(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
    kernel = load_torch_weights(path, "cnn")["params"]["linear"]["kernel"]
    np.testing.assert_array_equal(kernel, np.float32(state["l.weight"]).T)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_load(tmp_path, state, write, name):
    write(tmp_path / name, state)
    loads(tmp_path / name, state)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_floating_types_load(tmp_path, state, write, kind):
    state = {name: value.astype(kind) for name, value in state.items()}
    write(tmp_path / "w", state)
    loads(tmp_path / "w", state)


@pytest.mark.parametrize("write", WRITERS)
def test_views_of_shared_numbers_load(tmp_path, state, write):
    numbers = np.arange(10_000, dtype=np.float32)
    views = {
        "c1.bias": View(numbers, 5, (8,), (1,)),
        "c2.bias": View(numbers, 7, (16,), (100,)),
        "c3.bias": View(numbers, 9, (32,), (0,)),
        "l.weight": View(numbers, 0, (10, 32), (1, 10)),
    }
    values = {
        "c1.bias": numbers[5:13],
        "c2.bias": numbers[7:1600:100],
        "c3.bias": numbers[[9] * 32],
        "l.weight": numbers[:320].reshape(32, 10).T,
    }
    write(tmp_path / "w", state | views)
    loads(tmp_path / "w", state | values)


@pytest.mark.parametrize("write", WRITERS)
def test_parameters_load(tmp_path, state, write):
    hooks = Call(Named("collections", "OrderedDict"), ())
    for name in ("_rebuild_parameter", "_rebuild_parameter_with_state"):
        function = Named("torch._utils", name)
        state_of = {"note": "mine"}
        tensors = {k: Call(function, (v, True, hooks, state_of)) for k, v in state.items()}
        write(tmp_path / "w", tensors)
        loads(tmp_path / "w", state)


@pytest.mark.parametrize("write", WRITERS)
def test_what_a_file_names_is_never_called(tmp_path, state, write):
    mark = tmp_path / "mark"
    write(
        tmp_path / "w",
        {
            "state_dict": {f"module.{name}": value for name, value in state.items()},
            "args": Call(Named("pathlib", "Path.touch"), (str(mark),)),
            "callback": Call(Named("os", "mkdir"), (str(mark),)),
            "best": Call(Named("numpy._core.multiarray", "scalar"), ("f8", "x")),
            "epoch": 3,
        },
    )
    loads(tmp_path / "w", state)
    assert not mark.exists()


def test_a_file_changes_nothing_for_the_next(tmp_path, state):
    """Attributes that it sets fall on stand-ins of its own."""
    dictionary = Call(Named("collections", "OrderedDict"), ())
    raw = b"\x80\x02c__main__\nf\n}X\x01\x00\x00\x00aK\x01sb."
    for named in ("collections\nOrderedDict", "torch._utils\n_rebuild_tensor_v2"):
        with zipfile.ZipFile(tmp_path / "w", "w") as archive:
            archive.writestr("a/data.pkl", raw.replace(b"__main__\nf", named.encode()))
        refused(tmp_path / "w", "not a state dict")
    save(tmp_path / "w", {"model": state, "other": dictionary})
    loads(tmp_path / "w", state)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("saved", "parts"),
    [
        ([1, 2], ["not a state dict of tensors but a list"]),
        (Call(Named("models", "CNN"), ()), ["but a pickled 'models.CNN'", "model.state_dict()"]),
        ({"model": Call(Named("models", "CNN"), ())}, ["'model' (a pickled 'models.CNN')"]),
        ({"m\x1b[2J": 3}, ["'m\\x1b[2J' (an int)"]),
        ({"l": View(np.ones(3, np.float32), 1, (3,), (1,))}, ["shape (3,) out of 3 numbers"]),
        ({"l": View(np.ones(3, np.float32), -1, (3,), (1,))}, ["shape (3,) out of 3 numbers"]),
        ({"l": View(np.ones(3, np.float32), 0, (10**12,), (0,))}, ["out of 3 numbers"]),
    ],
)
def test_what_holds_no_weights_is_named(tmp_path, write, saved, parts):
    write(tmp_path / "w", saved)
    refused(tmp_path / "w", *parts)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda w: Call(Named("torch._utils", "_rebuild_qtensor"), ()), ["_rebuild_qtensor"]),
        (lambda w: View(w, 0, w.shape, (1,), (False, {}, {"neg": True})), ["_neg_view"]),
        (lambda w: w.astype(np.int64), ["int64", "floating"]),
        (lambda w: w > 0, ["bool", "floating"]),
        (lambda w: w.astype(np.complex64), ["complex64", "floating"]),
        (lambda w: w * np.float32("nan"), ["16 values", "NaN or infinite"]),
        (lambda w: w[:-1], ["shape (15,), expected (16)"]),
    ],
)
def test_an_array_that_is_not_the_networks_is_named(tmp_path, state, write, change, parts):
    write(tmp_path / "w", state | {"c2.bias": change(state["c2.bias"])})
    refused(tmp_path / "w", "array 'c2.bias'", *parts)


@pytest.mark.parametrize("write", WRITERS)
def test_missing_and_extra_arrays_are_named(tmp_path, state, write):
    write(tmp_path / "w", state | {"c4.weight": state["c3.weight"], "mean": state["l.bias"]})
    refused(tmp_path / "w", "2 more arrays than the published 'cnn' has: 'c4.weight', 'mean'")
    write(tmp_path / "w", {name: state[name] for name in state if name != "l.bias"})
    refused(tmp_path / "w", "no array 'l.bias'")


@pytest.mark.parametrize("write", WRITERS)
def test_a_network_within_another_loads(tmp_path, state, write):
    part = {f"model.{name}": value for name, value in state.items()}
    write(tmp_path / "w", {"state_dict": part, "epoch": 3})
    kernel = load_torch_weights(tmp_path / "w", "cnn")["params"]["linear"]["kernel"]
    np.testing.assert_array_equal(kernel, state["l.weight"].T)
    write(tmp_path / "w", part | {f"other.{name}": value for name, value in state.items()})
    refused(tmp_path / "w", "no array 'c1.weight'", "'model.c1.weight'")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["no weights but empty: copy the file again"]),
        (b"version https://git-lfs.github.com/spec/v1\noid", ["git lfs pull"]),
        (b"\n<!DOCTYPE html>", ["a web page", "raw"]),
        (b"\x1f\x8b\x08rest", ["gzip", "unpack"]),
        (b"\x89HDF\r\n", ["an HDF5 file"]),
        (b"\x93NUMPY\x01", ["np.savez(path, **state)"]),
        (b'\x20\x00\x00\x00\x00\x00\x00\x00{"c1.weight"', ["a safetensors file"]),
        (b"weights", ["of no known kind: copy the file again"]),
        (pickle.dumps({"c1.weight": np.zeros(3)}), ["a pickle that torch.save did not write"]),
        (b"PK\x03\x04rest", ["not readable as weights", "copy the file again"]),
        (b"\x80\x02rest", ["not readable as weights"]),
        (b"\x80\x02Nr\x00\x00\x00\x70.", ["9 bytes that keeps 1879048192 objects"]),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, parts):
    (tmp_path / "cor1").write_bytes(content)
    refused(tmp_path / "cor1", *parts)


@pytest.mark.parametrize(
    ("others", "parts"),
    [
        ({"constants.pkl": b"x"}, ["TorchScript", "state_dict()"]),
        ({"byteorder": b"big"}, ["big-endian"]),
    ],
)
def test_other_archives_of_pytorch_are_named(tmp_path, state, others, parts):
    save(tmp_path / "w", state, **others)
    refused(tmp_path / "w", *parts)


def test_numbers_in_another_order_are_refused_in_old_files(tmp_path, state):
    save_in_a_row(tmp_path / "w", state, little=False)
    refused(tmp_path / "w", "big-endian")


def test_members_that_are_gone_or_compressed_are_refused(tmp_path, state):
    save(tmp_path / "w", state)
    with zipfile.ZipFile(tmp_path / "w") as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(tmp_path / "part", "w") as archive:
        for name in set(members) - {"archive/data/3"}:
            archive.writestr(name, members[name])
    refused(tmp_path / "part", "archive/data/3")
    with zipfile.ZipFile(tmp_path / "small", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refused(tmp_path / "small", "is compressed")


@pytest.mark.parametrize("write", WRITERS)
def test_no_cut_file_loads(tmp_path, state, write):
    write(tmp_path / "whole", state)
    whole = (tmp_path / "whole").read_bytes()
    for keep in (*range(0, len(whole), 997), len(whole) - 1):
        (tmp_path / "w").write_bytes(whole[:keep])
        refused(tmp_path / "w")


def test_no_flipped_bit_changes_a_weight(rng, tmp_path, state):
    save(tmp_path / "whole", state)
    whole = (tmp_path / "whole").read_bytes()
    refusals = 0
    for bit in rng.choice(8 * len(whole), 200, replace=False):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        (tmp_path / "w").write_bytes(damaged)
        try:
            found = read_state_dict(tmp_path / "w")
        except UserError:
            refusals += 1
            continue
        assert all(np.array_equal(found[name], value) for name, value in state.items())
    assert refusals > 150  # the others are dates and the like


@pytest.mark.parametrize("new", [True, False])
def test_what_pytorch_writes_loads(tmp_path, state, new):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files here")
    tensors = {name: torch.tensor(value) for name, value in state.items()}
    column = torch.zeros(3, 32)
    column[1] = tensors["c3.bias"]
    parameter = torch.nn.Parameter(tensors["l.bias"])
    parameter.note = "mine"
    across = tensors["l.weight"].T.contiguous().T
    odd = {"c3.bias": column[1], "l.bias": parameter, "l.weight": across}
    compiled = {f"_orig_mod.module.{name}": value for name, value in (tensors | odd).items()}
    saved = {"model": compiled, "epoch": 3, "args": Namespace(lr=0.1), "type": torch.float32}
    saved["optimizer"] = torch.optim.Adam([parameter]).state_dict()
    torch.save(saved, tmp_path / "w", _use_new_zipfile_serialization=new)
    loads(tmp_path / "w", state)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "float8_e5m2"])
def test_pytorchs_types_load(tmp_path, state, new, kind):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files here")
    tensors = {name: torch.tensor(value).to(getattr(torch, kind)) for name, value in state.items()}
    torch.save(tensors, tmp_path / "w", _use_new_zipfile_serialization=new)
    kernel = load_torch_weights(tmp_path / "w", "cnn")["params"]["linear"]["kernel"]
    np.testing.assert_array_equal(kernel, tensors["l.weight"].T.float().numpy())


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda torch, w: w.to_sparse(), "_rebuild_sparse_tensor"),
        (lambda torch, w: w.to("meta"), "_rebuild_meta_tensor_no_storage"),
        (lambda torch, w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), "_rebuild_qtensor"),
        (lambda torch, w: torch._neg_view(w), "_neg_view"),
        (lambda torch, w: w.to(torch.uint16), "uint16"),
        (lambda torch, w: w.to(torch.int8), "int8"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_pytorchs_other_tensors_are_named(tmp_path, state, new, change, part):
    torch = pytest.importorskip("torch", reason="PyTorch writes the files here")
    tensors = {name: torch.tensor(value) for name, value in state.items()}
    tensors["c2.bias"] = change(torch, tensors["c2.bias"])
    torch.save(tensors, tmp_path / "w", _use_new_zipfile_serialization=new)
    refused(tmp_path / "w", "array 'c2.bias'", part)
