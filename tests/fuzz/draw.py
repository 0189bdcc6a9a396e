"""What a fuzzed call is made of: named arguments from pools, some of them wrong on purpose."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

ODDS = 0.07  # that an argument is a wrong one: then half the calls of many arguments have one


class Call(NamedTuple):
    """One call, and how its result is judged.

    judge: the result to what is wrong with it, "" if nothing. nan: whether NaN is documented.
    """

    name: str
    run: Callable[[], Any]
    judge: Callable[[Any], str] = lambda got: ""
    nan: bool = False


@dataclass
class Draw:
    """Arguments drawn by one generator; what was drawn is said in `words`.

    faults: arguments that must be refused. odd: whether one may be refused or taken.
    """

    rng: np.random.Generator
    words: list[str] = field(default_factory=list)
    faults: int = 0
    odd: bool = False

    def among(self, choices: Any) -> Any:
        """One of them."""
        choices = list(choices)
        return choices[self.rng.integers(len(choices))]

    def pick(
        self,
        name: str,
        good: dict[str, Any],
        bad: dict[str, Any],
        odd: dict[str, Any] | None = None,
    ) -> Any:
        """One value: a good one as a rule; a bad one must be refused, an odd one may be."""
        odd = odd or {}
        wrong = bool(bad) and self.rng.random() < ODDS
        strange = not wrong and bool(odd) and self.rng.random() < ODDS
        pool = bad if wrong else odd if strange else good
        label = self.among(pool)
        self.faults += wrong
        self.odd |= strange
        self.words.append(f"{name}={label}" + ("!" if wrong else "?" if strange else ""))
        return pool[label]

    def value(self, name: str, choices: Any) -> Any:
        """One of values that say themselves what they are, all good."""
        chosen = self.among(choices)
        self.words.append(f"{name}={chosen}")
        return chosen


def same(got: Any, expected: Any, atol: float = 1e-5, rtol: float = 1e-4) -> str:
    """What is wrong with a result of which the right value is known."""
    found, wanted = np.asarray(got), np.asarray(expected)
    if found.shape != wanted.shape:
        return f"shape {found.shape}, expected {wanted.shape}"
    if wanted.dtype == object or found.dtype == object:
        return "" if found.tolist() == wanted.tolist() else f"{got}, expected {expected}"
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    if np.allclose(found, wanted, atol=atol, rtol=rtol, equal_nan=True):
        return ""
    apart = np.nanmax(np.abs(found - wanted)) if found.size else 0
    return f"off by {apart:.3g}: {found.ravel()[:4]}, expected {wanted.ravel()[:4]}"
