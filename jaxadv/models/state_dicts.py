"""State dicts of PyTorch networks as NumPy arrays, out of whatever they were saved in.

A file is an `.npz` of a state dict, or a PyTorch checkpoint: a pickle, read only through an
installed torch with `weights_only=True`. Checkpoints hold the state dict beside an epoch and an
optimiser, and wrappers (DataParallel, `torch.compile`) write their own names into it; both are
taken off.
"""

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv.errors import UserError

StateDict = Mapping[str, np.ndarray]

TORCH_SUFFIXES = (".pt", ".pth", ".pth.tar", ".ckpt", ".bin")
# Where training scripts keep the state dict, in order; other dictionaries hold optimisers.
_HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
# What DataParallel, DistributedDataParallel and torch.compile call the network they wrap.
_WRAPPERS = ("module", "_orig_mod")


def read_state_dict(path: str | Path) -> StateDict:
    """The arrays of a checkpoint by their PyTorch names, wrappers' names taken off.

    Entries beside the arrays (an epoch, an optimiser's state) are left out.

    Raises:
        UserError: if the file is missing, damaged, of another kind, or needs torch to be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError(
            f"a {type(path).__name__} given for a path of weights; save the state dict as .npz, "
            ".pt or .pth and give its path"
        )
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the path of a .npz, .pt or .pth state dict")
    if path.suffix == ".npz":
        return unwrapped(_read_npz(path), path)
    if path.name.endswith(TORCH_SUFFIXES):
        return _read_torch(path)
    raise UserError(f"{path}: weights come as .npz, .pt or .pth, not {path.suffix!r}")


def unwrapped(saved: Any, path: Path) -> StateDict:
    """The named arrays in what was saved: a state dict, or dictionaries that hold one.

    Raises:
        UserError: if there is none, there are several, or two arrays come to have one name.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in _state_dict(saved, path).items():
        if not hasattr(value, "shape"):
            continue
        plain = ".".join(part for part in str(name).split(".") if part not in _WRAPPERS)
        if plain in arrays:
            raise UserError(
                f"{path}: two arrays are called {plain!r}, one of them {name!r}; save the state "
                "dict of one network"
            )
        arrays[plain] = _array(value)
    return arrays


def _state_dict(saved: Any, path: Path) -> Mapping[str, Any]:
    """The dictionary that directly holds arrays, found by the names it is kept under."""
    if not isinstance(saved, Mapping):
        raise UserError(
            f"{path}: not a state dict of tensors but a {type(saved).__name__}; save "
            "model.state_dict()"
        )
    inner = {str(name): value for name, value in saved.items() if isinstance(value, Mapping)}
    held = next((inner[name] for name in _HOLDERS if name in inner), None)
    if held is not None:
        return _state_dict(held, path)
    if _holds_arrays(saved):
        return saved
    direct = [name for name, value in inner.items() if _holds_arrays(value)]
    choices = direct or list(inner)
    if len(choices) == 1:
        return _state_dict(inner[choices[0]], path)
    found = ", ".join(choices or [str(name) for name in saved][:4]) or "nothing"
    raise UserError(
        f"{path}: no single state dict of tensors, it holds {found}; save model.state_dict() of "
        "one network"
    )


def _holds_arrays(saved: Mapping[Any, Any]) -> bool:
    """Whether there are named arrays in it; numbers beside them (a loss) are none."""
    return any(isinstance(k, str) and len(getattr(v, "shape", ())) > 0 for k, v in saved.items())


def _array(tensor: Any) -> np.ndarray:
    """A tensor's values; what NumPy has no type for (bfloat16) as float32."""
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    try:
        return np.asarray(tensor.numpy())
    except TypeError:
        return np.asarray(tensor.float().numpy())


def _read_npz(path: Path) -> StateDict:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a readable .npz ({reason}); copy the file again, or write it with "
            "np.savez(path, **state) if it was np.savez(path, state)"
        ) from None
    raw = [name for name, value in arrays.items() if not isinstance(value, np.ndarray)]
    if raw:
        raise UserError(
            f"{path}: an archive of other files ({raw[0]}), not of arrays; a PyTorch checkpoint's "
            "name ends in .pt or .pth"
        )
    return arrays


def _read_torch(path: Path) -> StateDict:
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{path}: reading a PyTorch checkpoint needs torch; "
            "`pip install torch`, or convert the state dict to .npz"
        ) from None
    try:
        return unwrapped(torch.load(path, map_location="cpu", weights_only=True), path)
    except UserError:
        raise
    except Exception as error:
        # the first sentence: torch goes on in colours, to how its own check is turned off
        reason = (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise UserError(
            f"{path}: not a state dict of tensors ({reason}); save model.state_dict()"
        ) from None
