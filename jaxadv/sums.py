"""Sums that tell whether what is read is what was written: SHA-256, in hexadecimal digits.

A JSON file carries the sum of its own content, under `sha256`; other files are summed in one that
lies beside them. A file without a sum is of an older version or was edited on purpose: it can be
read, and a line says that nobody knows whether it is whole.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jaxadv.errors import UserError

KEY = "sha256"


def of_file(path: Path) -> str:
    """The sum of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_content(content: Mapping[str, Any]) -> str:
    """The sum of plain JSON values, but for the sum itself; how a file lays them out is the same.

    Keys are taken in the order of the alphabet, numbers as Python writes them.
    """
    others = {key: value for key, value in content.items() if key != KEY}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def summed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON values with their sum, which comes first."""
    return {KEY: of_content(content), **content}


def check(content: Mapping[str, Any], path: Path) -> None:
    """Refuse content that is not as its sum says; content without a sum passes.

    Raises:
        UserError: with both remedies, for what was damaged and for what was edited.
    """
    if KEY in content and content[KEY] != of_content(content):
        raise UserError(
            f"{path}: not as it was written (its {KEY} differs): damaged, or edited; run again "
            f"into a new --out, or take its {KEY} out if it is right as it is"
        )


@cache
def say_none(path: Path) -> None:
    """One line, once a process, on a file that carries no sum."""
    print(
        f"warning: {path}: carries no {KEY} (an earlier version's, or edited): whether it is whole "
        "is not known",
        file=sys.stderr,
    )
