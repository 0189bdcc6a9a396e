"""What a folder of several files held when it was finished: `manifest.json`, written into it last.

`{"sha256", "epoch", "config", "files": {name: sum}}`: a checkpoint's epoch, the settings it was
trained by, and the sum of every file below it. Older checkpoints have none.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxadv import sums
from jaxadv.configs import differences
from jaxadv.errors import UserError
from jaxadv.files import read_json, sync, write_summed

NAME = "manifest.json"


def exists(folder: Path) -> bool:
    """Whether the folder has one."""
    return (folder / NAME).exists()


def write(folder: Path, said: Mapping[str, Any]) -> None:
    """Write what is said of the folder and the sums of its files; all of it is then on the disk.

    Raises:
        UserError: if it cannot be written.
        OSError: if a file cannot be synced.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    known = {path.relative_to(folder).as_posix(): sums.of_file(path) for path in files}
    write_summed(folder / NAME, {**said, "files": known})
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def fault(folder: Path, epoch: int) -> str:
    """What is not as it was written, in words; nothing if all is, or if there is no manifest."""
    if not exists(folder):
        return ""
    try:
        said = read_json(folder / NAME)
        whole = said[sums.KEY] == sums.of_content(said)
    except (UserError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        return f"{NAME} is not as it was written"
    if said["epoch"] != epoch:
        return f"it was written as epoch {said['epoch']}"
    for name, known in said["files"].items():
        path = folder / name
        if not path.is_file() or sums.of_file(path) != known:
            return f"{name} is not as it was written"
    return ""


def difference(folder: Path, config: Mapping[str, Any]) -> str:
    """The first of the settings that the folder's are not equal to, in words; nothing if all are.

    What it was written with beside them is passed over, as is a folder without a manifest.
    """
    there = read_json(folder / NAME)["config"] if exists(folder) else config
    return next((f"{name} {b!r}, not {a!r}" for name, a, b in differences(config, there)), "")
