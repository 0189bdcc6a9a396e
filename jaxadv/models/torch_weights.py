"""Weights from PyTorch checkpoints: the authors' published networks as our variables."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.models.state_dicts import StateDict, read_state_dict
from jaxadv.models.torch_shapes import BOTH, ONE, fitting
from jaxadv.types import Array, Variables

# Where the published CNN keeps each of our layers: its prefix in the state dict.
_CNN_CONVOLUTIONS = {"conv1": "c1", "conv2": "c2", "conv3": "c3"}
_FC_BLOCKS = 5


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
    params = {ours: _conv(state, theirs) for ours, theirs in _CNN_CONVOLUTIONS.items()}
    return {"params": {**params, "linear": _dense(state, "l")}}


def _fc(state: StateDict) -> Variables:
    params = {"linear": _dense(state, f"l{_FC_BLOCKS + 1}")}
    statistics = {}
    for block in range(1, _FC_BLOCKS + 1):
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


_ARCHITECTURES: Mapping[str, Callable[[StateDict], Variables]] = {
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
    """Variables of one published network, from the file as its authors have it.

    path: of what `torch.save` wrote, whatever its name, or an `.npz` of the state dict. PyTorch is
        not needed, and no code that a file names is run. docs/published_weights.md says where the
        authors' files are and what they are called.
    architecture: "cnn" or "fc", for `models.cnn` and `models.fc`; for MNIST "dna" and "ae", for
        `models.dna(2).model` and `(1)`, and "dna_classifier"; for CIFAR-10 "residual_dna",
        "residual_ae" and "residual_classifier".

    Wrappers' names (`module.`, `_orig_mod.`), a prefix that all arrays share and entries beside
    the weights are taken off; other floating types become float32. Image channels, classes and
    dense widths may be a user's own. Damage is found by the checksums of PyTorch's archives; files
    from before 2020, which are no archives, have none.

    >>> import numpy as np, tempfile
    >>> from jaxadv import models
    >>> shapes = {"c1": (8, 1, 3, 3), "c2": (16, 8, 3, 3), "c3": (32, 16, 3, 3), "l": (10, 32)}
    >>> state = {f"{name}.weight": np.zeros(s, np.float32) for name, s in shapes.items()}
    >>> state |= {f"{name}.bias": np.zeros(s[0], np.float32) for name, s in shapes.items()}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/cnn.npz", **state)
    ...     variables = models.load_torch_weights(f"{folder}/cnn.npz", "cnn")
    >>> variables["params"]["conv2"]["kernel"].shape  # PyTorch's has the channels first
    (3, 3, 8, 16)

    Raises:
        UserError: an unreadable file, an unknown architecture, or an array that is missing, one too
            many, of another shape or type, or not finite.
    """
    if not isinstance(architecture, str) or architecture not in _ARCHITECTURES:
        raise UserError(
            f"architecture {architecture!r}: weights can be loaded for {sorted(_ARCHITECTURES)}"
        )
    state = read_state_dict(path)
    return _ARCHITECTURES[architecture](fitting(state, architecture, Path(path)))
