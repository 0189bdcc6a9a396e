"""Whole files: written under a temporary name, synced and renamed, checked where they are read."""

import errno
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from jaxadv import npz, sums
from jaxadv.errors import UserError, printable
from jaxadv.parallel import leads
from jaxadv.schema import plain

_LONGEST = 200  # characters of a library's own words inside our line
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of file systems that do not sync folders


def reason(error: BaseException) -> str:
    """A library's error as part of a line: the first one it has, else the error's name."""
    lines = str(error).strip().splitlines()
    return printable(lines[0].strip()[:_LONGEST]) if lines else type(error).__name__


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (path.is_dir() and error.errno in _NO_SYNC):
            raise
    finally:
        os.close(handle)


@contextmanager
def _whole(path: Path, suffix: str = "") -> Iterator[Path]:
    """A temporary name in the same folder; what was written there is synced, then gets `path`.

    Raises:
        UserError: if it cannot be written; what `path` held before stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp{suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        why = error.strerror or reason(error)
        raise UserError(
            f"{path}: cannot be written ({why}); make room there, or choose another folder"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Of several processes the first writes.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write_atomically(Path(folder) / "note.txt", b"done")
    ...     (Path(folder) / "note.txt").read_text()
    'done'

    Raises:
        UserError: if it cannot be written; what `path` held before stays.
    """
    if leads():
        with _whole(path) as temporary:
            temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write JSON with one row a line, so that two results can be compared by `diff`.

    NumPy's and JAX's numbers are written as plain ones. Of several processes the first writes.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write_json(Path(folder) / "a.json", {"seeds": 2})
    ...     results.read_json(Path(folder) / "a.json")
    {'seeds': 2}

    Raises:
        UserError: if something in it is no JSON (an array, NaN, a key that is not text), or the
            file cannot be written.
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


def write_summed(path: Path, value: Mapping[str, Any]) -> None:
    """`write_json` of keys and values, with their sum.

    Raises:
        UserError: as `write_json`.
    """
    write_json(path, sums.summed(plain(value, str(path))))


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
    """Parsed JSON; NaN, infinity and keys that come twice are refused.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.json"
    ...     written = path.write_text('{"eps": [0.1, 0.2]}')
    ...     results.read_json(path)["eps"]
    [0.1, 0.2]

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


def read_summed(path: Path) -> dict[str, Any]:
    """Keys and values without the sum they were written with; of none, a line on stderr says so.

    Raises:
        UserError: if the file is missing, is no such JSON, or is not as it was written.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no keys and values; run again into a new --out")
    sums.check(content, path)
    if content.pop(sums.KEY, None) is None:
        sums.say_none(path)
    return content


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as an `.npz`, whole or not at all. Of several processes the first writes.

    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write_arrays(Path(folder) / "a.npz", {"x": np.zeros(3)})
    ...     results.read_arrays(Path(folder) / "a.npz", lambda name: True)["x"].shape
    (3,)

    Raises:
        UserError: if it cannot be written.
    """
    if leads():
        with _whole(path, ".npz") as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` whose names are wanted, by name; others are not unpacked.

    wanted: from an array's name to whether to read it. No pickle is loaded.

    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from jaxadv import results
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results.write_arrays(Path(folder) / "a.npz", {"x": np.zeros(3), "y": np.ones(3)})
    ...     list(results.read_arrays(Path(folder) / "a.npz", lambda name: name == "y"))
    ['y']

    Raises:
        UserError: if the file is missing, empty, cut or damaged.
    """
    try:
        return npz.read(path, wanted)
    # What damage raises depends on the byte: EOFError, BadZipFile, zlib.error, struct.error, ...
    except Exception as error:
        raise UserError(
            f"{path}: not readable ({reason(error)}); run the experiment again"
        ) from None
