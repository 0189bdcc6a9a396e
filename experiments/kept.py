"""A measured part on disk, which a run that goes on takes up only if it is as it was written.

`NAME.npz` has the arrays; `NAME.json`, written after it, the rows and the sums of both.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxadv.errors import UserError
from jaxadv.files import read_arrays, read_json, write_arrays, write_json
from jaxadv.parallel import leads
from jaxadv.results import Row
from jaxadv.schema import plain


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.json", folder / f"{name}.npz"


def exists(folder: Path, name: str) -> bool:
    """Whether a part was written, whole: its rows come last."""
    return _paths(folder, name)[0].exists()


def write(folder: Path, name: str, rows: Sequence[Row], arrays: dict[str, np.ndarray]) -> None:
    """Write a part; the first process alone.

    Raises:
        UserError: if a row holds what no row can.
    """
    if not leads():
        return
    described, archive = _paths(folder, name)
    plain_rows = plain(list(rows), f"{described}: rows")
    write_arrays(archive, arrays)
    sums = {"rows_sha256": _sum_of_rows(plain_rows), "arrays_sha256": _sum_of(archive)}
    write_json(described, {"measured": name, **sums, "rows": plain_rows})


def read(folder: Path, name: str) -> tuple[list[Row], dict[str, np.ndarray]]:
    """A part's rows and arrays.

    Raises:
        UserError: if they are not as they were written.
    """
    described, archive = _paths(folder, name)
    content = read_json(described)
    if not _as_written(content, archive):
        raise UserError(f"{folder / name}: not as it was written; measure it again")
    return content["rows"], read_arrays(archive, lambda _: True)


def _as_written(content: Any, archive: Path) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("rows"), list):
        return False
    if content.get("rows_sha256") != _sum_of_rows(content["rows"]):
        return False
    return archive.is_file() and content.get("arrays_sha256") == _sum_of(archive)


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum_of_rows(rows: Sequence[Row]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
