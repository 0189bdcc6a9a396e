"""Whole files: written under a temporary name and renamed, checked where they are read."""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from jaxadv.errors import UserError
from jaxadv.parallel import leads
from jaxadv.schema import plain

LONGEST = 200  # characters of a library's own words inside our line
LEFT_OVER = re.compile(r"\..+\.\d+\.tmp(\.npz)?")  # temporary names of writes that were killed


def reason(error: BaseException) -> str:
    """A library's error as part of a line: the first one it has, else the error's name."""
    lines = str(error).strip().splitlines()
    return lines[0].strip()[:LONGEST] if lines else type(error).__name__


def write_atomically(path: Path, content: bytes) -> None:
    """Write under a temporary name in the same folder, then rename; the first process alone."""
    if not leads():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """JSON with one row a line, so that results diff well; NumPy's and JAX's numbers as plain ones.

    Raises:
        UserError: if something in it is no JSON: an array, NaN, a key that is not text.
    """
    value = plain(value, str(path))
    if isinstance(value, dict) and isinstance(value.get("rows"), list):
        head = {key: item for key, item in value.items() if key != "rows"}
        rows = ",\n  ".join(json.dumps(row, allow_nan=False) for row in value["rows"])
        text = (
            json.dumps(head, indent=1, allow_nan=False)[:-2] + f',\n "rows": [\n  {rows}\n ]\n}}\n'
        )
    else:
        text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    write_atomically(path, text.encode())


def _no_number(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no JSON number")


def _finite(literal: str) -> float:
    """JSON allows 1e999, which a float cannot hold."""
    number = float(literal)
    return number if math.isfinite(number) else _no_number(literal)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that comes twice has two values: which one is meant is not for us to say."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} comes twice")
    return found


def read_json(path: Path) -> Any:
    """Parsed JSON, in which NaN and infinity have no place.

    Raises:
        UserError: if the file is missing or is not JSON.
    """
    rules: dict[str, Any] = {"parse_constant": _no_number, "parse_float": _finite}
    try:
        return json.loads(path.read_text("utf-8"), object_pairs_hook=_once, **rules)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give the --out folder of a finished run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: not readable as JSON ({reason(error)}); run again into a new --out"
        ) from None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an `.npz` under a temporary name, then rename; the first process alone."""
    if not leads():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp.npz")
    try:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` whose names are wanted.

    Raises:
        UserError: if the file is missing, empty, cut or damaged.
    """
    try:
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files if wanted(name)}
    # What damage raises depends on the byte: EOFError, BadZipFile, zlib.error, struct.error, ...
    except Exception as error:
        raise UserError(
            f"{path}: not readable ({reason(error)}); run the experiment again"
        ) from None
