"""What results may hold: plain JSON values when written, the keys of long-form rows when read.

A row is one number and what it is of. Every row has `metric`, `value`, `n` and `seed`; the names in
`_TEXTS` are text, those in `_COUNTS` whole numbers from 0, those in `_NUMBERS` finite numbers, in
`_OR_NULL` null too; a key that does not apply is absent. A value is null where nothing was
measured, as in 0/0, `n` 0, and where it is not known, as of a network that diverged, `n` more. NaN
and infinity are refused, not written as null: whoever measures says which of the two it is.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError

REQUIRED = ("metric", "value", "n", "seed")
_TEXTS = (
    *("metric", "model", "variant", "attack", "ball", "source", "target", "split", "combine"),
    *("features_of", "from_features_of"),
)
_COUNTS = ("n", "seed", "epoch", "of")
_NUMBERS = ("eps", "confidence", "alarms", "strength", "target_distance", "length")
_MEASURED = ("value", "raised")  # finite numbers, or null where nothing was measured
_OR_NULL = (*_MEASURED, "distance")  # weights that are not finite lie at none
_LARGEST = 2**53  # from here on not every whole number is a float


def shortest(value: Any) -> float:
    """The shortest decimal that gives a number's float32 back: 0.1, not 0.10000000149."""
    return float(str(np.float32(value)))


def plain(value: Any, where: str) -> Any:
    """The value in JSON's own types; numbers of NumPy and JAX, 0-d arrays too, as plain numbers.

    where: the file and key that a message names; of rows their number, from 1.

    Raises:
        UserError: for arrays, NaN, infinity, keys that are not text, and what JSON has no word for.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {
            _text_key(key, where): plain(item, f"{where}: {key}") for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        named = "row" if where.endswith(": rows") else "item"
        return [plain(item, f"{where}: {named} {i}") for i, item in enumerate(value, start=1)]
    return _plain_number(value, where)


def _text_key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise UserError(f"{where}: the key {key!r} is {_kind(key)}; keys are text")
    return str(key)


def _plain_number(value: Any, where: str) -> bool | int | float:
    if isinstance(value, np.generic | np.ndarray | jax.Array):
        if np.ndim(value):
            shape = list(np.shape(value))
            raise UserError(f"{where} is an array of shape {shape}; give one number a row")
        value = _item(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UserError(f"{where} is {value}; write null (None) where nothing was measured")
        return float(value)
    raise UserError(f"{where} is {_kind(value)}; give text or a plain number")


def _item(value: Any) -> Any:
    """A 0-d array's element; bfloat16 and its like have no Python number of their own."""
    if jnp.issubdtype(value.dtype, jnp.floating):
        return float(value)
    return value.item() if value.dtype.kind in "biu" else value


def _kind(value: Any) -> str:
    return type(value).__name__


def check_rows(rows: Any, where: str, needed: Iterable[str] = REQUIRED) -> None:
    """Refuse rows that are not rows; the message gives their number, from 1.

    needed: keys that none of them may lack.

    Raises:
        UserError: a row lacks a key, holds a value of another kind, or says again, of the same
            thing, what an earlier one says.
    """
    if not isinstance(rows, list):
        raise UserError(f"{where}: rows is {_kind(rows)}, not a list; run again into a new --out")
    seen = dict[str, int]()
    for number, row in enumerate(rows, start=1):
        fault = _row_fault(row, needed)
        if not fault:
            of = {key: value for key, value in row.items() if key not in ("n", *_MEASURED)}
            first = seen.setdefault(json.dumps(of, sort_keys=True), number)
            fault = f"repeats row {first}" if first < number else ""
        if fault:
            raise UserError(f"{where}: row {number}: {fault}; run again into a new --out")


def _row_fault(row: Any, needed: Iterable[str]) -> str:
    if not isinstance(row, dict):
        return f"is {_kind(row)}, not keys and values"
    for key in needed:
        if key not in row:
            return f"lacks {key}"
    for key, value in row.items():
        if not _is_text(key):
            return f"its key {_shown(key)} is not printable text"
        wanted = _wanted(key, value)
        if wanted:
            return f"{key} is {_shown(value)}, not {wanted}"
    return ""


def _wanted(key: str, value: Any) -> str:
    """What the key's value should have been; nothing if it is."""
    if key in _TEXTS:
        return "" if _is_text(value) else "printable text"
    if key in _COUNTS:
        return "" if _is_count(value) else "a whole number from 0"
    if key in _NUMBERS:
        return "" if _is_number(value) else "a finite number"
    if key in _OR_NULL:
        return "" if value is None or _is_number(value) else "a finite number or null"
    known = value is None or isinstance(value, bool) or _is_number(value) or _is_text(value)
    return "" if known else "one number or text"


def _is_text(value: Any) -> bool:
    """Text that a terminal can show: no escape codes, no half characters."""
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _LARGEST if isinstance(value, int) else math.isfinite(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _check_config(config: Any, where: str) -> None:
    """Refuse a configuration without the seeds that its rows are of.

    Raises:
        UserError: if it is none, or its seeds are not distinct whole numbers.
    """
    if not isinstance(config, dict):
        raise UserError(f"{where}: config is {_kind(config)}; it is not a run's results")
    seeds = config.get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(map(_is_count, seeds)):
        raise UserError(
            f"{where}: seeds in config are {_shown(seeds)}, not a list of whole numbers; "
            "run again into a new --out"
        )
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{where}: seeds in config are {_shown(seeds)}; each may stand there once")
    _check_words(config, f"{where}: config")


def _check_words(value: Any, where: str) -> None:
    """Refuse keys and text, however deep, that a terminal would obey; lines and tabs it may.

    Raises:
        UserError: if there is one.
    """
    there = [value]
    while there:
        item = there.pop()
        if isinstance(item, str) and not re.sub(r"[\n\t]", " ", item).isprintable():
            raise UserError(f"{where} holds {_shown(item)}, not printable text; mend the file")
        if isinstance(item, dict | list):
            there += [*item, *item.values()] if isinstance(item, dict) else item


def check_results(content: Any, where: str) -> None:
    """Refuse what is not a run's results.

    Raises:
        UserError: naming the file, the row and the fault.
    """
    if not isinstance(content, dict) or not {"experiment", "config", "rows"} <= content.keys():
        raise UserError(f"{where}: lacks experiment, config or rows; it is not a run's results")
    if not _is_text(content["experiment"]):
        shown = _shown(content["experiment"])
        raise UserError(f"{where}: experiment is {shown}, not a study's name; run it again")
    if not isinstance(content.get("environment"), dict | list | None):
        shown = _shown(content["environment"])
        raise UserError(f"{where}: environment is {shown}, not keys and values; run it again")
    _check_words(content.get("environment"), f"{where}: environment")
    _check_config(content["config"], where)
    check_rows(content["rows"], where)
    known = set(content["config"]["seeds"])
    for number, row in enumerate(content["rows"], start=1):
        if row["seed"] not in known:
            raise UserError(
                f"{where}: row {number}: seed {row['seed']} is none of config's; "
                "run again into a new --out"
            )
