"""Weights from PyTorch checkpoints: the authors' published networks as our variables.

A file is an `.npz` of a state dict, or a PyTorch checkpoint (`.pt`, `.pth`): a pickle, read only
through an installed torch with `weights_only=True`.
"""

import zipfile
import zlib
from collections.abc import Mapping
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


def _cnn(state: StateDict) -> Variables:
    params = {ours: _conv(state, theirs) for ours, theirs in CNN_CONVOLUTIONS.items()}
    return {"params": {**params, "linear": _dense(state, "l")}}


def _fc(state: StateDict) -> Variables:
    params = {"linear": _dense(state, f"l{FC_BLOCKS + 1}")}
    statistics = {}
    for block in range(1, FC_BLOCKS + 1):
        params[f"linear{block}"] = _dense(state, f"l{block}.0")
        params[f"norm{block}"] = {
            "scale": jnp.asarray(state[f"l{block}.2.weight"]),
            "bias": jnp.asarray(state[f"l{block}.2.bias"]),
        }
        statistics[f"norm{block}"] = {
            "mean": jnp.asarray(state[f"l{block}.2.running_mean"]),
            "var": jnp.asarray(state[f"l{block}.2.running_var"]),
        }
    return {"params": params, "batch_stats": statistics}


def _dna(state: StateDict) -> Variables:
    shared = {
        "layer1": "enc.enc.0",
        "layer2": "enc.enc.2",
        "layer5": "dec.dec.0",
        "layer6": "dec.dec.2",
    }
    params = {ours: _dense(state, theirs) for ours, theirs in shared.items()}
    for ours, theirs in {"layer3": "L1", "layer4": "L2"}.items():
        necks = [_dense(state, f"bn{neck}.{theirs}") for neck in (1, 2)]
        params[ours] = jax.tree.map(lambda *leaves: jnp.stack(leaves), *necks)
    return {"params": params}


ARCHITECTURES = {"cnn": _cnn, "fc": _fc, "dna": _dna}


def load_torch_weights(path: str | Path, architecture: str) -> Variables:
    """Variables of one published network, for `models.cnn`, `models.fc` or `models.dna().model`.

    architecture: "cnn", "fc" or "dna", the dual-neck autoencoder for MNIST.

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
