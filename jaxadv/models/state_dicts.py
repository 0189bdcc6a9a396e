"""State dicts of PyTorch networks as NumPy arrays, out of whatever they were saved in.

A file is an `.npz` of a state dict or was written by `torch.save`; which of them, its first bytes
tell, not its name. Checkpoints hold the state dict beside an epoch and an optimiser, and wrappers
(DataParallel, `torch.compile`) write their own names into it; both are taken off.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv import npz
from jaxadv.errors import UserError
from jaxadv.files import reason
from jaxadv.models import torch_files
from jaxadv.models.torch_pickles import Foreign, Tensor

StateDict = Mapping[str, np.ndarray]
# As a file has it: of an array that it keeps as something else than numbers, the stand-in.
Saved = Mapping[str, np.ndarray | Foreign]

# Where training scripts keep the state dict, in order; other dictionaries hold optimisers.
_HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
# What DataParallel, DistributedDataParallel and torch.compile call the network they wrap.
_WRAPPERS = ("module", "_orig_mod")
# What comes to be called weights and is none, by how it begins.
_OTHER_KINDS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file: run `git lfs pull`",
    b"<": "a web page, not the file: download it raw",
    b"\x1f\x8b": "compressed by gzip: unpack it",
    b"\x89HDF": "an HDF5 file: save the state dict by torch.save or np.savez",
    b"\x93NUMPY": "a single array: save the whole state dict, np.savez(path, **state)",
}


def read_state_dict(path: str | Path) -> Saved:
    """The arrays of a PyTorch checkpoint by their names in it, without PyTorch.

    path: of what `torch.save` wrote, or of an `.npz`. Wrappers' names (`module.`, `_orig_mod.`) are
        taken off; entries beside the arrays (an epoch, an optimiser's state) are left out.

    >>> import numpy as np, tempfile
    >>> from jaxadv import models
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/saved.npz", **{"module.l.bias": np.zeros(10)})
    ...     models.read_state_dict(f"{folder}/saved.npz")["l.bias"].shape
    (10,)

    Raises:
        UserError: if the file is missing, damaged or of another kind, or holds no one state dict.
    """
    if not isinstance(path, str | os.PathLike):
        raise UserError(
            f"a {type(path).__name__} given for a path of weights; save the state dict as .npz or "
            "by torch.save and give its path"
        )
    path = Path(path)
    _check_kind(path)
    try:
        return unwrapped(npz.read(path) if _is_npz(path) else torch_files.load(path), path)
    except UserError:
        raise
    except Exception as error:  # what damage raises depends on the byte
        raise UserError(
            f"{path}: not readable as weights ({reason(error)}); copy the file again, or save "
            "model.state_dict() by torch.save, or by np.savez(path, **state)"
        ) from None


def _check_kind(path: Path) -> None:
    """Refuse what is no archive and no pickle, by what it is."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {what}; give the path of a state dict, .npz or by torch.save")
    with path.open("rb") as file:
        begin = file.read(24)
    if begin[:2] == b"PK" or begin[:1] == b"\x80":
        return
    kinds = [kind for start, kind in _OTHER_KINDS.items() if begin.lstrip().startswith(start)]
    if begin[8:9] == b"{":
        kinds.append("a safetensors file: torch.save(safetensors.torch.load_file(path), other)")
    unknown = (
        f"{'of no known kind' if begin else 'empty'}: copy the file again, .npz or torch.save's"
    )
    raise UserError(f"{path}: no weights but {(kinds or [unknown])[0]}")


def unwrapped(saved: Any, path: Path) -> Saved:
    """The named arrays in what was saved: a state dict, or dictionaries that hold one.

    Raises:
        UserError: if there is none, there are several, or two arrays come to have one name.
    """
    arrays: dict[str, np.ndarray | Foreign] = {}
    for name, value in _state_dict(saved, path).items():
        if not hasattr(value, "shape") and not isinstance(value, Foreign):
            continue
        plain = ".".join(part for part in str(name).split(".") if part not in _WRAPPERS)
        if plain in arrays:
            raise UserError(
                f"{path}: two arrays are called {plain!r}, one of them {name!r}; save the state "
                "dict of one network"
            )
        arrays[plain] = _array(value)
    return arrays


def _array(value: Any) -> np.ndarray | Foreign:
    if isinstance(value, Tensor):
        return value.numpy()
    return value if isinstance(value, Foreign) else np.asarray(value)


def _state_dict(saved: Any, path: Path) -> Mapping[str, Any]:
    """The dictionary that directly holds arrays, found by the names it is kept under."""
    if not isinstance(saved, Mapping):
        raise UserError(
            f"{path}: not a state dict of tensors but {_told(saved)}; save model.state_dict()"
        )
    inner = {str(name): value for name, value in saved.items() if _has_arrays(value)}
    held = next((inner[name] for name in _HOLDERS if name in inner), None)
    if held is not None:
        return _state_dict(held, path)
    if _holds_arrays(saved):
        return saved
    direct = [name for name, value in inner.items() if _holds_arrays(value)]
    choices = direct or list(inner)
    if len(choices) == 1:
        return _state_dict(inner[choices[0]], path)
    found = [repr(name) for name in choices] or [
        f"{name!r} ({_told(value)})" for name, value in saved.items()
    ]
    raise UserError(
        f"{path}: no single state dict of tensors, it holds {', '.join(found[:4]) or 'nothing'}; "
        "save model.state_dict() of one network"
    )


def _told(value: Any) -> str:
    """What a value is, in words; names from the file made safe to print."""
    if isinstance(value, Foreign):
        return f"a pickled {value.name!r}"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.lstrip('_')}"


def _holds_arrays(saved: Mapping[Any, Any]) -> bool:
    """Whether there are named arrays in it; numbers beside them (a loss) are none."""
    return any(isinstance(k, str) and len(getattr(v, "shape", ())) > 0 for k, v in saved.items())


def _has_arrays(value: Any) -> bool:
    """Whether it is a dictionary with named arrays in it, or in one of its dictionaries."""
    if not isinstance(value, Mapping):
        return False
    return _holds_arrays(value) or any(map(_has_arrays, value.values()))


def _is_npz(path: Path) -> bool:
    return zipfile.is_zipfile(path) and any(
        name.endswith(".npy") for name in zipfile.ZipFile(path).namelist()
    )
