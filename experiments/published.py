"""Where the authors' published CNN pairs lie: in a clone of their repository, or as `.npz`."""

from collections.abc import Sequence
from pathlib import Path

from jaxadv.errors import UserError

SOURCE = "https://github.com/WANG-AXIS/DNA"
THEIRS = {"plain": "cor", "decorrelated": "dec"}  # what the authors call each kind
LAYOUTS = (
    "cnn_{kind}_{number}.npz",
    "classifier_exp/saved_models/CNN/{theirs}{number}",  # in a clone
    "saved_models/CNN/{theirs}{number}",
    "{theirs}{number}",
)


def pair_files(folder: Path, kinds: Sequence[str]) -> dict[str, list[Path]]:
    """The files of networks 1 and 2 of each kind, all of them there, and named in one way.

    Raises:
        UserError: if they are not, with where they come from.
    """
    ways = [
        {kind: [_file(folder, layout, kind, number) for number in (1, 2)] for kind in kinds}
        for layout in LAYOUTS
    ]
    files = min(ways, key=lambda way: len(_missing(way)))
    for path in _missing(files):
        raise UserError(
            f"{path}: no such file; --published-dir or JAXADV_REFERENCE names a clone of the "
            f"authors' repository, {SOURCE} (its classifier_exp/saved_models/CNN has cor1, cor2, "
            "dec1, dec2), or a folder of their state dicts, cnn_plain_1.npz, cnn_plain_2.npz, "
            "cnn_decorrelated_1.npz, cnn_decorrelated_2.npz; see docs/published_weights.md"
        )
    return files


def _file(folder: Path, layout: str, kind: str, number: int) -> Path:
    return folder / layout.format(kind=kind, theirs=THEIRS[kind], number=number)


def _missing(files: dict[str, list[Path]]) -> list[Path]:
    return [path for pair in files.values() for path in pair if not path.is_file()]
