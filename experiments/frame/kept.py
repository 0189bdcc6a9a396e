"""A measured part on disk, which a run that goes on takes up only if it is as it was written.

`NAME.npz` has the arrays; `NAME.json`, written after it, the rows, the settings that the part was
measured by, and the sums of both files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv import sums
from jaxadv.errors import UserError
from jaxadv.files import read_arrays, read_json, write_arrays, write_summed
from jaxadv.folder import CONFIG, read_config
from jaxadv.parallel import leads
from jaxadv.results import Row
from jaxadv.schema import plain


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.json", folder / f"{name}.npz"


def settings(out: Path) -> dict[str, Any]:
    """What the parts of a run's folder are measured by; nothing where no run has claimed it."""
    return read_config(out) if (out / CONFIG).exists() else {}


def exists(folder: Path, name: str) -> bool:
    """Whether a part was written, whole: its rows come last."""
    return _paths(folder, name)[0].exists()


def write(
    folder: Path,
    name: str,
    rows: Sequence[Row],
    arrays: dict[str, np.ndarray],
    config: Mapping[str, Any],
) -> None:
    """Write a part measured by the settings `config`; the first process alone.

    Raises:
        UserError: if a row holds what no row can, or it cannot be written.
    """
    if not leads():
        return
    described, archive = _paths(folder, name)
    plain_rows = plain(list(rows), f"{described}: rows")
    write_arrays(archive, arrays)
    said = {"measured": name, "config": config, "arrays_sha256": sums.of_file(archive)}
    write_summed(described, {**said, "rows": plain_rows})


def read(
    folder: Path, name: str, config: Mapping[str, Any]
) -> tuple[list[Row], dict[str, np.ndarray]]:
    """A part's rows and arrays.

    Raises:
        UserError: if they are not as they were written, or not measured by the settings `config`.
    """
    if why := fault(folder, name, config):
        raise UserError(f"{folder / name}: {why}")
    described, archive = _paths(folder, name)
    return read_json(described)["rows"], read_arrays(archive, lambda _: True)


def fault(folder: Path, name: str, config: Mapping[str, Any]) -> str:
    """Why a part is not to be taken up, in words; nothing if it is."""
    described, archive = _paths(folder, name)
    if not described.exists():
        return "not there"
    try:
        content = read_json(described)
        whole = content[sums.KEY] == sums.of_content(content) and content["measured"] == name
        whole = whole and sums.of_file(archive) == content["arrays_sha256"]
    except (UserError, OSError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        return "damaged or edited"
    return "" if content["config"] == plain(config, "config") else "of other settings"


def clear(folder: Path) -> None:
    """Remove the parts, which finished results hold, and the folder if nothing else is in it."""
    for described in sorted(folder.glob("*.json")) if leads() else []:
        if read_json(described).get("measured") != described.stem:
            continue
        _, archive = _paths(folder, described.stem)
        archive.unlink(missing_ok=True)
        described.unlink()  # last: a kill leaves what says that there is more to remove
    if leads() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
