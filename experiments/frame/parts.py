"""What is measured, part by part: each is kept as soon as it is measured, and joined at the end."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from experiments.frame import kept
from experiments.frame.progress import measuring
from jaxadv import results
from jaxadv.errors import UserError
from jaxadv.leftovers import MEASURED
from jaxadv.parallel import leads
from jaxadv.results import Row

Arrays: TypeAlias = dict[str, np.ndarray]


class Measured(NamedTuple):
    """Rows, arrays for predictions.npz, and adversarial images for adversarial.npz."""

    rows: list[Row]
    arrays: Arrays
    images: Arrays

    def under(self, name: str) -> "Measured":
        """The same, a first level added to the arrays' names."""
        return self._replace(arrays=under(name, self.arrays), images=under(name, self.images))


def of_rows(rows: Iterable[Row]) -> Measured:
    """Rows alone."""
    return Measured(list(rows), {}, {})


def under(name: str, arrays: Arrays) -> Arrays:
    """The arrays with a first level added to their names."""
    return {f"{name}/{key}": value for key, value in arrays.items()}


def _level(name: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The arrays under a first level, that level taken off: the inverse of `under`."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}


def together(parts: Iterable[Measured]) -> Measured:
    """Several measurements as one."""
    whole = Measured([], {}, {})
    for part in parts:
        whole = Measured(
            whole.rows + part.rows, whole.arrays | part.arrays, whole.images | part.images
        )
    return whole


def once(out: Path, name: str, make: Callable[[], Measured]) -> Measured:
    """What `make` measures; a run that goes on takes what was measured before from its folder.

    Attacks can take as long as training: a kill then costs the running one, not those before it.
    What is damaged, was edited, or is of other settings, is measured again, as a line on stderr
    says.
    """
    folder, config = out / MEASURED, kept.settings(out)
    if kept.exists(folder, name):
        try:
            rows, arrays = kept.read(folder, name, config)
            return Measured(rows, _level("arrays", arrays), _level("images", arrays))
        except UserError as error:
            print(f"{error}; measured again", file=sys.stderr)
    begun = time.perf_counter()
    with measuring(name):
        part = make()
    arrays = under("arrays", part.arrays) | under("images", part.images)
    kept.write(folder, name, part.rows, arrays, config)
    if leads():
        taken = time.perf_counter() - begun
        print(f"{name}: measured in {taken:.0f} s", file=sys.stderr, flush=True)
    return part


def write(out: Path, study: str, config: Mapping[str, Any], measured: Measured) -> None:
    """Write a study's results: rows, predictions, and adversarial images where any were kept."""
    results.write_arrays(out / "predictions.npz", measured.arrays)
    if measured.images:
        results.write_arrays(out / "adversarial.npz", measured.images)
    results.write(out, study, config, measured.rows)
    kept.clear(out / MEASURED)
