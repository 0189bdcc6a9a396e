"""Weights from PyTorch checkpoints: the authors' published networks as our variables.

A file is an `.npz` of a state dict, or a PyTorch checkpoint (`.pt`, `.pth`): a pickle, read only
through an installed torch with `weights_only=True`.
"""

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.types import Array, Variables

StateDict = Mapping[str, np.ndarray]

# Where the published CNN keeps each of our layers: its prefix in the state dict.
CNN_CONVOLUTIONS = {"conv1": "c1", "conv2": "c2", "conv3": "c3"}
FC_BLOCKS = 5


def read_state_dict(path: str | Path) -> StateDict:
    """The arrays of a checkpoint by their PyTorch names.

    Raises:
        UserError: if the file is missing, damaged, of another kind, or needs torch to be read.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the path of a .npz, .pt or .pth state dict")
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{path}: not a readable .npz ({error}); copy the file again") from None
    if path.suffix in (".pt", ".pth"):
        return _read_torch(path)
    raise UserError(f"{path}: weights come as .npz, .pt or .pth, not {path.suffix!r}")


def _read_torch(path: Path) -> StateDict:
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{path}: reading a PyTorch checkpoint needs torch; "
            "`pip install torch`, or convert the state dict to .npz"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in state.items()}
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a state dict of tensors ({reason}); save one") from None


def _conv(state: StateDict, name: str) -> dict[str, Array]:
    """OIHW to HWIO."""
    return {
        "kernel": jnp.asarray(state[f"{name}.weight"].transpose(2, 3, 1, 0)),
        "bias": jnp.asarray(state[f"{name}.bias"]),
    }


def _dense(state: StateDict, name: str) -> dict[str, Array]:
    """`[out, in]` to `[in, out]`."""
    return {
        "kernel": jnp.asarray(state[f"{name}.weight"].T),
        "bias": jnp.asarray(state[f"{name}.bias"]),
    }


def _batch_norm(state: StateDict, name: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Parameters and running statistics."""
    params = {"scale": "weight", "bias": "bias"}
    statistics = {"mean": "running_mean", "var": "running_var"}

    def named(names: Mapping[str, str]) -> dict[str, Array]:
        return {ours: jnp.asarray(state[f"{name}.{theirs}"]) for ours, theirs in names.items()}

    return named(params), named(statistics)


def _cnn(state: StateDict) -> Variables:
    params = {ours: _conv(state, theirs) for ours, theirs in CNN_CONVOLUTIONS.items()}
    return {"params": {**params, "linear": _dense(state, "l")}}


def _fc(state: StateDict) -> Variables:
    params = {"linear": _dense(state, f"l{FC_BLOCKS + 1}")}
    statistics = {}
    for block in range(1, FC_BLOCKS + 1):
        params[f"linear{block}"] = _dense(state, f"l{block}.0")
        norm = f"norm{block}"
        params[norm], statistics[norm] = _batch_norm(state, f"l{block}.2")
    return {"params": params, "batch_stats": statistics}


def _dense_dna(prefixes: Sequence[str], state: StateDict) -> Variables:
    shared = {
        "layer1": "enc.enc.0",
        "layer2": "enc.enc.2",
        "layer5": "dec.dec.0",
        "layer6": "dec.dec.2",
    }
    params = {ours: _dense(state, theirs) for ours, theirs in shared.items()}
    for ours, theirs in {"layer3": "L1", "layer4": "L2"}.items():
        params[ours] = _stacked([_dense(state, f"{prefix}.{theirs}") for prefix in prefixes])
    return {"params": params}


def _stacked(necks: Sequence[Variables]) -> Variables:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *necks)


def _dna_classifier(state: StateDict) -> Variables:
    layers = {"conv1": "c.0", "conv2": "c.3", "conv3": "c.6"}
    params = {ours: _conv(state, theirs) for ours, theirs in layers.items()}
    return {"params": {**params, "linear": _dense(state, "c.10")}}


def _block(state: StateDict, name: str) -> Variables:
    """A residual block's parameters and running statistics."""
    convolutions = {"conv1": "c1", "conv2": "c2", "skip": "id"}
    params = {
        ours: _conv(state, f"{name}.{theirs}")
        for ours, theirs in convolutions.items()
        if ours != "skip" or f"{name}.id.weight" in state
    }
    statistics = {}
    for ours, theirs in {"norm1": f"{name}.bn1", "norm2": f"{name}.bn2"}.items():
        params[ours], statistics[ours] = _batch_norm(state, theirs)
    return {"params": params, "batch_stats": statistics}


def _enlarge(state: StateDict, name: str) -> dict[str, Array]:
    """IOHW to HWIO."""
    return {
        "kernel": jnp.asarray(state[f"{name}.weight"].transpose(2, 3, 0, 1)),
        "bias": jnp.asarray(state[f"{name}.bias"]),
    }


def _together(parts: Mapping[str, Variables], **others: dict[str, Array]) -> Variables:
    """Named parts with parameters and statistics, and others with parameters alone, as one."""
    params = {name: part["params"] for name, part in parts.items()}
    statistics = {name: part["batch_stats"] for name, part in parts.items()}
    return {"params": {**params, **others}, "batch_stats": statistics}


def _residual_dna(prefixes: Sequence[str], state: StateDict) -> Variables:
    def neck(prefix: str) -> Variables:
        blocks = {f"block{i + 1}": f"{prefix}.b{i}" for i in range(4)}
        return _together({ours: _block(state, theirs) for ours, theirs in blocks.items()})

    decoder = _together(
        {"block1": _block(state, "dec.b1"), "block2": _block(state, "dec.b2")},
        enlarge1=_enlarge(state, "dec.u1"),
        enlarge2=_enlarge(state, "dec.u2"),
    )
    parts = {
        "encode1": _block(state, "enc.b1"),
        "encode2": _block(state, "enc.b2"),
        "necks": _stacked([neck(prefix) for prefix in prefixes]),
        "decoder": decoder,
    }
    return _together(parts)


def _residual_classifier(state: StateDict) -> Variables:
    blocks = {f"block{i}": _block(state, f"r{i}") for i in (1, 2, 3)}
    return _together(blocks, conv=_conv(state, "c1"), linear=_dense(state, "classifier.2"))


BOTH, ONE = ("bn1", "bn2"), ("bn",)  # the necks of the published DNA and AE
ARCHITECTURES: Mapping[str, Callable[[StateDict], Variables]] = {
    "cnn": _cnn,
    "fc": _fc,
    "dna": partial(_dense_dna, BOTH),
    "ae": partial(_dense_dna, ONE),
    "dna_classifier": _dna_classifier,
    "residual_dna": partial(_residual_dna, BOTH),
    "residual_ae": partial(_residual_dna, ONE),
    "residual_classifier": _residual_classifier,
}


def load_torch_weights(path: str | Path, architecture: str) -> Variables:
    """Variables of one published network.

    architecture: "cnn" or "fc", for `models.cnn` and `models.fc`; for MNIST "dna" and "ae", for
        `models.dna(2).model` and `(1)`, and "dna_classifier"; for CIFAR-10 "residual_dna",
        "residual_ae" and "residual_classifier".

    Raises:
        UserError: unreadable file, unknown architecture, or arrays missing from the state dict.
    """
    if architecture not in ARCHITECTURES:
        raise UserError(
            f"architecture {architecture!r}: weights can be loaded for {sorted(ARCHITECTURES)}"
        )
    state = read_state_dict(path)
    try:
        return ARCHITECTURES[architecture](state)
    except KeyError as missing:
        raise UserError(
            f"{path}: no array {missing} in the state dict, so it is not the published "
            f"{architecture!r}; it has {', '.join(list(state)[:4])}, …"
        ) from None
    except ValueError as error:
        raise UserError(
            f"{path}: an array has the wrong number of axes for {architecture!r} ({error}); "
            "give the published state dict"
        ) from None
