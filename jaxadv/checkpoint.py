"""Training states on disk, through Orbax alone.

Orbax writes a checkpoint under a temporary name and renames it when it is whole, so a kill at any
moment leaves the previous one in place.
"""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
from orbax.checkpoint.experimental import v1 as ocp

from jaxadv.errors import UserError
from jaxadv.types import PyTree


def _epochs(directory: Path) -> list[int]:
    """Epochs with a whole checkpoint, ascending; Orbax's temporary folders have other names."""
    names = [path.name for path in directory.glob("epoch-*") if path.is_dir()]
    return sorted(int(name[6:]) for name in names if name[6:].isdecimal())


def save(directory: str | Path, state: PyTree, epoch: int) -> None:
    """Write `state` as the checkpoint of `epoch`, then remove the earlier ones."""
    directory = Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    ocp.save(directory / f"epoch-{epoch}", state, overwrite=True)
    for earlier in _epochs(directory):
        if earlier < epoch:
            shutil.rmtree(directory / f"epoch-{earlier}", ignore_errors=True)


def latest(directory: str | Path, like: PyTree) -> PyTree | None:
    """The newest checkpoint in `directory`, of the structure and shapes of `like`; None if none.

    Raises:
        UserError: if it cannot be read or is of another structure.
    """
    directory = Path(directory).resolve()
    epochs = _epochs(directory)
    if not epochs:
        return None
    path = directory / f"epoch-{epochs[-1]}"
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), like
    )
    try:
        loaded = ocp.load(path, abstract)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{path}: the checkpoint does not fit these networks or is damaged "
            f"({reason[:200]}); start afresh in a new --out"
        ) from None
    # Orbax ties arrays to a device, and a program for tied arrays is another one to compile.
    return jax.tree.map(jnp.array, jax.device_get(loaded))
