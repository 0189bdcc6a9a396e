"""Options as they are typed, and the numbers that they take.

What could only fail later, after data were loaded or networks trained, or would mean another number
than was typed, is refused here at once. Programs compute in float32 and int32.
"""

import math
import os
from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.finished import SWEPT
from jaxadv.data import DATASETS, Splits
from jaxadv.errors import UserError

if TYPE_CHECKING:
    from experiments.cli import Common

SPELLED = {"from_dir": "from"}  # options that are typed otherwise than their settings are called
# Settings of which there must be at least one; all other numbers may be 0.
COUNTS = (
    *("seeds", "epochs", "batch_size", "pgd_steps"),
    *("classifier_epochs", "classifier_batch_size"),
    *("igs_steps", "cw_steps", "cw_searches", "dverge_epochs", "dverge_steps"),
)
ABOVE_ZERO = ("cw_step_size", "cw_first_constant")  # 0 would move nothing, or weigh nothing
LAST_SEED = 2**32 - 1
LEAST, MOST = float(np.finfo(np.float32).tiny), 1e15  # squares of larger ones pass float32's range
WIDEST = 2**16  # of a sketch: wider than any network's features
SMALLEST = 50_000  # bytes of weights and optimisers that a seed of any study has at least


def option(name: str) -> str:
    """A setting's option, as it is typed."""
    return f"--{SPELLED.get(name, name).replace('_', '-')}"


def check(settings: "Common") -> None:
    """Refuse numbers that could only fail later, or mean nothing.

    Raises:
        UserError: naming the option as typed, its value, and what it takes.
    """
    for name, value in asdict(settings).items():
        values = value if isinstance(value, tuple) else (value,)
        if not values:
            raise UserError(f"{option(name)}: name at least one")
        for number in values:
            if isinstance(number, int | float) and not isinstance(number, bool):
                _check_number(name, number)
        wide = "l2" in getattr(settings, "balls", ())
        if any(_alike(name, a, b, wide) for a, b in combinations(values, 2)):
            raise UserError(f"{option(name)} {' '.join(map(str, values))}: name each once")
    if settings.data not in DATASETS:
        raise UserError(f"--data {settings.data}: choose one of {', '.join(DATASETS)}")
    _check_seeds(settings)


def _check_number(name: str, number: float) -> None:
    typed, least = f"{option(name)} {number}", 1 if name in COUNTS else 0
    if isinstance(number, int):
        most = WIDEST if name == "sketch_width" else 2**31 - 1
        if not least <= number <= (LAST_SEED if name == "first_seed" else most):
            raise UserError(f"{_short(typed)}: give a whole number from {least} to {most}")
    elif not 0 <= number <= MOST:
        raise UserError(f"{typed}: give a number from 0 to {MOST:g}")
    elif 0 < number < LEAST:
        raise UserError(f"{typed}: is 0 in float32; give 0, or at least {LEAST:.2g}")
    elif number == 0 and name in ABOVE_ZERO:
        raise UserError(f"{typed}: give a number above 0")


def _short(typed: str) -> str:
    return typed if len(typed) <= 60 else f"{typed[:57]}..."


def _alike(name: str, one: Any, other: Any, wide: bool) -> bool:
    """Whether rows do not tell two values of an option apart.

    They have the float32 of what is swept, and six digits of other numbers in names. wide: radii
    are multiplied by the square root of the pixels, in float32 too, which can make two of them one.
    """
    if not isinstance(one, float):
        return one == other
    if name not in SWEPT:
        return f"{one:g}" == f"{other:g}"
    return np.float32(one) == np.float32(other) or (wide and math.isclose(one, other, rel_tol=1e-6))


def _check_seeds(settings: "Common") -> None:
    """Refuse seeds that do not exist, and more than the machine could hold of any network."""
    first, count = settings.first_seed, settings.seeds
    if first + count - 1 > LAST_SEED:
        raise UserError(f"--first-seed {first}: with --seeds {count} they pass {LAST_SEED}")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = count * SMALLEST
    if needed > memory and not settings.distributed:
        raise UserError(
            f"--seeds {count}: the weights of so many take {needed / 2**30:,.0f} GiB at the least, "
            f"the machine has {memory / 2**30:,.0f}; run fewer, and join runs by experiments.merge"
        )


def check_data(settings: "Common", splits: Splits) -> None:
    """Refuse numbers of images that the data do not have, before anything is trained.

    Raises:
        UserError: naming the option as typed, and how many there are.
    """
    given, title = asdict(settings), splits.title
    train, test = len(splits.train.labels), len(splits.test.labels)
    for name in ("batch_size", "classifier_batch_size"):
        if given.get(name, 0) > train:
            raise UserError(
                f"{option(name)} {given[name]}: there are {train} training images ({title}); give "
                "1 to that many"
            )
    fewest = test
    for name in (f"{attack}_examples" for attack in given.get("attacks", ("cw", "igs", "pgd"))):
        fewest = min(fewest, given.get(name, 0) or test)  # more than there are is all
    if settings.save_adversarial > fewest:
        raise UserError(
            f"--save-adversarial {settings.save_adversarial}: {fewest} images are attacked; give "
            "0 to that many"
        )
