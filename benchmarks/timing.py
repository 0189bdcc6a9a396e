"""Contestants take turns in one process, so that what else the machine does hits all alike."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Work = Callable[[], Any]  # does the work, and returns once it is done


class Contestant(NamedTuple):
    """One way to do a piece of work.

    compile_s: seconds to trace and compile it, None where nothing is compiled.
    """

    name: str
    work: Work
    compile_s: float | None = None


class Timing(NamedTuple):
    """Median and interquartile range of the rounds, in seconds."""

    median: float
    spread: float


def seconds(work: Work) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def first_call(work: Work) -> float:
    """What the first call costs beyond a second one: the compilation of a lazy compiler."""
    first = seconds(work)
    return max(0.0, first - seconds(work))


def interleaved(
    contestants: Sequence[Contestant],
    rounds: int,
    warmup: int = 1,
    turn: float = 0.2,
    pause: float = 0.05,
) -> dict[str, Timing]:
    """A B C, A B C, …: each contestant a turn a round, the first `warmup` rounds thrown away.

    A turn is calls for at least `turn` seconds. Its first call is not counted where there are
    more: after another's turn the caches are cold. Before it nobody works for `pause` seconds,
    since the threads of OpenMP and OpenBLAS spin on for some milliseconds when their work is done.
    """
    taken: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for number in range(warmup + rounds):
        for contestant in contestants:
            time.sleep(pause)
            times = _turn(contestant.work, turn)
            if number >= warmup:
                taken[contestant.name] += times
    return {name: _summary(times) for name, times in taken.items()}


def _turn(work: Work, least: float) -> list[float]:
    times = [seconds(work)]
    while sum(times) < least:
        times.append(seconds(work))
    return times[1:] or times


def _summary(times: Sequence[float]) -> Timing:
    low, median, high = np.percentile(times, [25, 50, 75])
    return Timing(float(median), float(high - low))
