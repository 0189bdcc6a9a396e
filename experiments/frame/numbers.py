"""The numbers that settings take.

What could only fail later, after data were loaded or networks trained, or would mean another number
than was typed, is refused here at once. Programs compute in float32 and int32.
"""

import math
import os
from itertools import combinations
from typing import Any

import numpy as np

from experiments.frame.settings import (
    LAST_SEED,
    Above,
    AtLeast,
    AtMost,
    OfTraining,
    Option,
    Settings,
    Swept,
    options,
)
from jaxadv.data import DATASETS, Splits
from jaxadv.errors import UserError

LEAST, MOST = float(np.finfo(np.float32).tiny), 1e15  # squares of larger ones pass float32's range
SMALLEST = 50_000  # bytes of weights and optimisers that a seed of any study has at least


def check(settings: Settings) -> None:
    """Refuse numbers that could only fail later, or mean nothing.

    Raises:
        UserError: naming the option as typed, its value, and what it takes.
    """
    found = list(options(settings))
    wide = any(each.name == "balls" and "l2" in each.value for each in found)
    for each in found:
        values = each.value if isinstance(each.value, tuple) else (each.value,)
        if not values:
            raise UserError(f"{each.typed}: name at least one")
        for number in values:
            if isinstance(number, int | float) and not isinstance(number, bool):
                _check_number(each, number)
        if any(_alike(each, a, b, wide) for a, b in combinations(values, 2)):
            raise UserError(f"{each.typed} {' '.join(map(str, values))}: name each once")
    if settings.data.dataset not in DATASETS:
        raise UserError(f"--data {settings.data.dataset}: choose one of {', '.join(DATASETS)}")
    _check_seeds(settings)


def _check_number(option: Option, number: float) -> None:
    typed = f"{option.typed} {number}"
    if isinstance(number, int):
        least, most = option.mark(AtLeast) or AtLeast(0), option.mark(AtMost) or AtMost(2**31 - 1)
        if not least.least <= number <= most.most:
            ends = f"{least.least} to {most.most}"
            raise UserError(f"{_short(typed)}: give a whole number from {ends}")
    elif not 0 <= number <= MOST:
        raise UserError(f"{typed}: give a number from 0 to {MOST:g}")
    elif 0 < number < LEAST:
        raise UserError(f"{typed}: is 0 in float32; give 0, or at least {LEAST:.2g}")
    elif (above := option.mark(Above)) and number <= above.limit:
        raise UserError(f"{typed}: give a number above {above.limit:g}")


def _short(typed: str) -> str:
    return typed if len(typed) <= 60 else f"{typed[:57]}..."


def _alike(option: Option, one: Any, other: Any, wide: bool) -> bool:
    """Whether rows do not tell two values of an option apart.

    They have the float32 of what is swept, and six digits of other numbers in names. wide: radii
    are multiplied by the square root of the pixels, in float32 too, which can make two of them one.
    """
    if not isinstance(one, float):
        return one == other
    if option.mark(Swept) is None:
        return f"{one:g}" == f"{other:g}"
    return np.float32(one) == np.float32(other) or (wide and math.isclose(one, other, rel_tol=1e-6))


def _check_seeds(settings: Settings) -> None:
    """Refuse seeds that do not exist, and more than the machine could hold of any network."""
    first, count = settings.first_seed, settings.seeds
    if first + count - 1 > LAST_SEED:
        raise UserError(f"--first-seed {first}: with --seeds {count} they pass {LAST_SEED}")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    needed = count * SMALLEST
    if needed > memory and not settings.place.distributed:
        raise UserError(
            f"--seeds {count}: the weights of so many take {needed / 2**30:,.0f} GiB at the least, "
            f"the machine has {memory / 2**30:,.0f}; run fewer, and join runs by experiments merge"
        )


def check_batches(settings: Settings, splits: Splits) -> None:
    """Refuse batches that the data cannot fill, before anything is trained.

    Raises:
        UserError: naming the option as typed, and how many images there are.
    """
    count = len(splits.train.labels)
    for each in options(settings):
        if each.mark(OfTraining) is not None and each.value > count:
            raise UserError(
                f"{each.typed} {each.value}: there are {count} training images ({splits.title}); "
                "give 1 to that many"
            )


def check_kept(settings: Settings, attacked: int) -> None:
    """Refuse to keep more adversarial images than are attacked.

    attacked: the fewest that any attack takes.

    Raises:
        UserError: if so.
    """
    asked = settings.attacks.save_adversarial
    if asked > attacked:
        raise UserError(
            f"--save-adversarial {asked}: {attacked} images are attacked; give 0 to that many"
        )
