"""A fuzz of the public API, outside the suite: python -m tests.fuzz_api --minutes 10 --seed 0

Calls everything public with arguments drawn from pools of what is promised to work and of what
users give in its place. Every call must end in a `UserError`, or in a right result: where an
independent computation exists it is compared with that; a NaN must be warned of or documented.
A wrong argument must be refused, a good one taken. Each call is drawn by (seed, number) alone:

    python -m tests.fuzz_api --seed 0 --call 1234      repeats one and shows its traceback
"""

import argparse
import collections
import gc
import sys
import time
import traceback
import warnings
from typing import Any

import jax
import numpy as np

from jaxadv.errors import UserError
from tests.fuzz import (
    attack_calls,
    data_calls,
    ensemble_calls,
    evaluation_calls,
    loss_calls,
    metric_calls,
    model_calls,
    training_calls,
)
from tests.fuzz.draw import Call, Draw

FLOORS = {  # by how often; those that compile most come seldom
    metric_calls: 30,
    loss_calls: 25,
    attack_calls: 25,
    data_calls: 12,
    ensemble_calls: 10,
    model_calls: 6,
    evaluation_calls: 6,
    training_calls: 3,
}


def drawn(seed: int, number: int, only: str = "") -> tuple[Draw, Call]:
    """The call of that number."""
    draw = Draw(np.random.default_rng([seed, number]))
    every = [
        (odds * weight / sum(w for w, _ in floor.CALLS), call)
        for floor, odds in FLOORS.items()
        if only in floor.__name__
        for weight, call in floor.CALLS
    ]
    odds = np.asarray([weight for weight, _ in every])
    chosen = every[draw.rng.choice(len(every), p=odds / odds.sum())][1]
    return draw, chosen(draw)


def has_nan(result: Any) -> bool:
    """Whether a number in it is NaN."""
    leaves = [leaf for leaf in jax.tree.leaves(result) if hasattr(leaf, "dtype")]
    numbers = [leaf for leaf in leaves if jax.numpy.issubdtype(leaf.dtype, np.inexact)]
    return any(np.isnan(np.asarray(leaf).astype(np.complex128)).any() for leaf in numbers)


def judged(draw: Draw, call: Call, loud: bool = False) -> tuple[str, str]:
    """How a call ended ("right", "UserError", "warned", "violation"), and what is wrong with it."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = call.run()
        except UserError as error:
            if "\n" in str(error):
                return "violation", f"an error of several lines: {str(error)[:80]!r}"
            if draw.faults or draw.odd:
                return "UserError", str(error)
            return "violation", f"good arguments are refused: {error}"
        except Exception as error:
            if loud:
                traceback.print_exc()
            text = (str(error).splitlines() or [""])[0][:150]
            return "violation", f"{type(error).__name__}: {text}"
    spoken = [w for w in said if issubclass(w.category, UserWarning)]
    alien = [w for w in said if issubclass(w.category, RuntimeWarning)]
    if draw.faults:
        return "violation", "a wrong argument is taken"
    if alien and not draw.odd:
        return "violation", f"{alien[0].category.__name__}: {alien[0].message}"
    if has_nan(result) and not spoken and not call.nan:
        return "violation", "a silent NaN"
    wrong = call.judge(result)
    if wrong:
        return "violation", wrong
    return ("warned", str(spoken[0].message)) if spoken else ("right", "")


def line(seed: int, number: int, draw: Draw, call: Call, what: str, only: str) -> str:
    """A violation with what repeats it."""
    floor = f" --only {only}" if only else ""
    again = f"python -m tests.fuzz_api --seed {seed} --call {number}{floor}"
    return f"{call.name}({', '.join(draw.words)}): {what}   [{again}]"


def run(minutes: float, seed: int, only: str = "") -> int:
    """Fuzz for so long; the number of violations."""
    counts: collections.Counter[str] = collections.Counter()
    kinds: collections.Counter[tuple[str, str]] = collections.Counter()
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        draw, call = drawn(seed, number, only)
        how, what = judged(draw, call)
        counts[how] += 1
        if how == "violation":
            kinds[call.name, what[:40]] += 1
            if kinds[call.name, what[:40]] <= 3:
                print(line(seed, number, draw, call, what, only), flush=True)
        number += 1
        if number % 300 == 0:  # programs of arguments that never come again
            jax.clear_caches()
            gc.collect()
    names = ("right", "warned", "UserError", "violation")
    said = ", ".join(f"{counts[name]} {name}" for name in names)
    print(f"seed {seed}: {number} calls in {minutes:g} minutes: {said}")
    return counts["violation"]


def main() -> int:
    """The command line; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default 0)")
    parser.add_argument("--call", type=int, help="repeat the call of this number alone")
    parser.add_argument("--only", default="", help="a floor alone: attack, metric, loss, data, …")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    if given.call is None:
        return int(run(given.minutes, given.seed, given.only) > 0)
    draw, call = drawn(given.seed, given.call, given.only)
    how, what = judged(draw, call, loud=True)
    print(f"{how}: {line(given.seed, given.call, draw, call, what, given.only)}")
    return int(how == "violation")


if __name__ == "__main__":
    sys.exit(main())
