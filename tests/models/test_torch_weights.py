import chex
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.models import cnn, dna, fc, load_torch_weights, residual_classifier, residual_dna
from jaxadv.models.torch_shapes import SHAPES
from tests.data.fixtures import assert_one_line


def cnn_state(rng):
    shapes = {"c1": (8, 1, 3, 3), "c2": (16, 8, 3, 3), "c3": (32, 16, 3, 3), "l": (10, 32)}
    return made(rng, shapes)


def fc_state(rng):
    widths = [784, 500, 500, 200, 200, 100]
    shapes = {f"l{i}.0": (widths[i], widths[i - 1]) for i in range(1, 6)}
    state = made(rng, {**shapes, "l6": (10, 100)})
    for i in range(1, 6):
        for name in ("weight", "bias", "running_mean", "running_var"):
            state[f"l{i}.2.{name}"] = np.float32(rng.normal(size=widths[i]))
        state[f"l{i}.2.num_batches_tracked"] = np.array(7)
    return state


def dna_state(rng):
    necks = {f"bn{i}.L{j}": shape for i in (1, 2) for j, shape in [(1, (64, 128)), (2, (128, 64))]}
    encoder = {"enc.enc.0": (100, 784), "enc.enc.2": (128, 100)}
    return made(rng, {**encoder, **necks, "dec.dec.0": (100, 128), "dec.dec.2": (784, 100)})


def made(rng, shapes):
    state = {f"{k}.weight": np.float32(rng.normal(size=s)) for k, s in shapes.items()}
    return {**state, **{f"{k}.bias": np.float32(rng.normal(size=s[0])) for k, s in shapes.items()}}


@pytest.fixture
def saved(rng, tmp_path):
    """A sound CNN checkpoint."""
    np.savez_compressed(tmp_path / "cnn.npz", **cnn_state(rng))
    return tmp_path / "cnn.npz"


@pytest.mark.parametrize(
    ("architecture", "model"), [("cnn", cnn()), ("fc", fc()), ("dna", dna().model)]
)
@pytest.mark.parametrize("suffix", [".npz", ".pt", ".pth"])
def test_every_array_arrives_where_the_model_wants_it(rng, tmp_path, architecture, model, suffix):
    state = {"cnn": cnn_state, "fc": fc_state, "dna": dna_state}[architecture](rng)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".npz":
        np.savez(path, **state)
    else:
        torch = pytest.importorskip("torch", reason="writes a PyTorch checkpoint")
        torch.save({k: torch.tensor(v) for k, v in state.items()}, path)
    variables = load_torch_weights(path, architecture)
    wanted = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    chex.assert_trees_all_equal_shapes(variables, wanted)
    total = sum(np.sum(v, dtype=float) for k, v in state.items() if "tracked" not in k)
    kept = sum(np.sum(np.asarray(leaf), dtype=float) for leaf in jax.tree.leaves(variables))
    np.testing.assert_allclose(kept, total, rtol=1e-6)


def test_transpositions(rng, saved):
    state, params = cnn_state(np.random.default_rng(0)), load_torch_weights(saved, "cnn")["params"]
    kernel = params["conv2"]["kernel"]
    np.testing.assert_array_equal(kernel[0, 2, 3, 5], state["c2.weight"][5, 3, 0, 2])
    np.testing.assert_array_equal(params["linear"]["kernel"], state["l.weight"].T)
    np.testing.assert_array_equal(params["conv3"]["bias"], state["c3.bias"])


def refused(path, architecture, *parts):
    with pytest.raises(UserError) as error:
        load_torch_weights(path, architecture)
    assert_one_line(error, *parts)


def test_a_missing_file_or_a_folder_is_named(tmp_path):
    refused(tmp_path / "none.npz", "cnn", "none.npz", "no such file")
    refused(tmp_path, "cnn", tmp_path, "a folder")


def test_another_kind_of_file_is_named(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"x")
    refused(tmp_path / "weights.h5", "cnn", "weights.h5", ".npz", "torch.save")


@pytest.mark.parametrize("architecture", ["resnet", ""])
def test_an_unknown_architecture_names_the_choices(saved, architecture):
    refused(saved, architecture, repr(architecture), "cnn", "fc")


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_npz_is_named(saved, keep):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    refused(saved, "cnn", saved, "copy the file again")


@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_damaged_npz_is_named(rng, saved, at, random):
    if not random:  # so regular that its compressed stream itself breaks
        state = {k: np.float32(np.arange(v.size) % 97) for k, v in cnn_state(rng).items()}
        np.savez_compressed(saved, **state)
    data = bytearray(saved.read_bytes())
    start = int(at * len(data))
    data[start : start + 40] = bytes(40)
    saved.write_bytes(data)
    refused(saved, "cnn", saved, "copy the file again")


def test_a_single_array_by_the_name_of_npz_is_refused(tmp_path):
    with (tmp_path / "weights.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    refused(tmp_path / "weights.npz", "cnn", "weights.npz")


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "objects.npz", **{"c1.weight": np.array([{}], object)})
    refused(tmp_path / "objects.npz", "cnn", "objects.npz", "of type object")


@pytest.mark.parametrize("missing", ["c1.weight", "c3.bias", "l.weight"])
def test_a_missing_array_is_named(rng, tmp_path, missing):
    state = cnn_state(rng)
    del state[missing]
    np.savez(tmp_path / "part.npz", **state)
    refused(tmp_path / "part.npz", "cnn", "part.npz", missing)


def test_the_weights_of_another_network_are_refused(rng, tmp_path, saved):
    refused(saved, "fc", saved, "'fc'", "l6.weight")


def test_an_array_of_another_rank_is_refused(rng, tmp_path):
    np.savez(tmp_path / "flat.npz", **{**cnn_state(rng), "c2.weight": np.zeros((16, 72))})
    refused(tmp_path / "flat.npz", "cnn", "flat.npz")


SMALL = {"channels": 3, "classes": 10, "pixels": 784, "features": 288}


@pytest.mark.parametrize(
    ("architecture", "model", "side"),
    [
        ("residual_dna", residual_dna().model, 16),
        ("residual_ae", residual_dna(1).model, 16),
        ("residual_classifier", residual_classifier(), 32),
    ],
)
@pytest.mark.parametrize("channels", [3, 16])  # 16: as many as the first block of the DNA
def test_the_shapes_of_residual_networks_are_the_models(
    rng, tmp_path, architecture, model, side, channels
):
    sizes = SMALL | {"channels": channels}
    state = {
        name: np.float32(rng.normal(size=[sizes.get(size, size) for size in shape]))
        for name, shape in SHAPES[architecture].items()
    }
    if channels == 16 and "classifier" not in architecture:
        needless = ("enc.b1.id.", "dec.b2.id.")
        state = {name: value for name, value in state.items() if not name.startswith(needless)}
    np.savez(tmp_path / "weights.npz", **state)
    variables = load_torch_weights(tmp_path / "weights.npz", architecture)
    x = jnp.zeros((1, side, side, channels))
    chex.assert_trees_all_equal_shapes(variables, jax.eval_shape(model.init, jax.random.key(0), x))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("c2.weight", (16, 8, 5, 5), "(16, 8, 3, 3)"),
        ("c2.weight", (8, 16, 3, 3), "(16, 8, 3, 3)"),
        ("c3.bias", (31,), "(32)"),
        ("l.weight", (10, 288), "(10, 32)"),
        ("c1.weight", (8, 1, 3), "(8, channels, 3, 3)"),
    ],
)
def test_a_shape_other_than_the_architectures_is_named(rng, tmp_path, name, shape, expected):
    np.savez(tmp_path / "w.npz", **{**cnn_state(rng), name: np.ones(shape, np.float32)})
    refused(tmp_path / "w.npz", "cnn", f"array {name!r} has shape {shape}", expected)


@pytest.mark.parametrize("name", ["l2.0.weight", "l3.0.bias", "l4.2.running_var"])
def test_of_widths_that_disagree_the_odd_one_out_is_named(rng, tmp_path, name):
    state = fc_state(rng)
    np.savez(tmp_path / "w.npz", **{**state, name: state[name][:-1]})
    refused(tmp_path / "w.npz", "fc", f"array {name!r} has shape {state[name][:-1].shape}")


def test_a_users_own_channels_and_classes_load(rng, tmp_path):
    shapes = {"c1": (8, 3, 3, 3), "c2": (16, 8, 3, 3), "c3": (32, 16, 3, 3), "l": (7, 32)}
    np.savez(tmp_path / "w.npz", **made(rng, shapes))
    params = load_torch_weights(tmp_path / "w.npz", "cnn")["params"]
    assert params["conv1"]["kernel"].shape == (3, 3, 3, 8)
    assert params["linear"]["bias"].shape == (7,)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda w: np.where(w > w.mean(), np.nan, w), ["NaN or infinite"]),
        (lambda w: np.where(w == w.max(), np.inf, w), ["1 values", "NaN or infinite"]),
        (lambda w: w.astype(np.float64) * 1e300, ["NaN or infinite"]),
        (lambda w: w.astype(np.int8), ["int8", "floating"]),
        (lambda w: w > 0, ["bool", "floating"]),
        (lambda w: w.astype(complex), ["complex128", "floating"]),
        (lambda w: w.astype(ml_dtypes.bfloat16), ["raw bytes", "astype(np.float32)"]),
    ],
)
def test_weights_that_are_no_finite_floats_are_named(rng, tmp_path, change, parts):
    state = cnn_state(rng)
    np.savez(tmp_path / "w.npz", **{**state, "c2.weight": change(state["c2.weight"])})
    refused(tmp_path / "w.npz", "cnn", "array 'c2.weight'", *parts)


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4"])
def test_other_floating_types_become_float32(rng, tmp_path, kind):
    state = {name: value.astype(kind) for name, value in cnn_state(rng).items()}
    np.savez(tmp_path / "w.npz", **state)
    kernel = load_torch_weights(tmp_path / "w.npz", "cnn")["params"]["linear"]["kernel"]
    assert kernel.dtype == jnp.float32
    np.testing.assert_array_equal(kernel, state["l.weight"].T.astype(np.float32))
