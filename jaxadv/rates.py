"""Shares of examples, each with the number of examples that it is of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxadv.checks import numbers
from jaxadv.errors import UserError


class Rate(NamedTuple):
    """A share, from 0 to 1, and the number `n` of examples that it is of.

    The value is None of 0 examples, and where it is not known, as of a network that diverged; `n`
    is then how many examples it would be of at most.

    >>> from jaxadv import metrics
    >>> found = metrics.rate([True, False, False, False])
    >>> found.value, found.n
    (0.25, 4)
    """

    value: float | None
    n: int


def whether(value: ArrayLike, name: str) -> np.ndarray:
    """A boolean array, of zeros and ones too; of floats where some are NaN, not known.

    Raises:
        UserError: if it holds anything else: probabilities would all count as true.
    """
    found = np.asarray(numbers(name, value, "give whether it holds, true or false"))
    if found.dtype == bool:
        return found
    if found.dtype.kind not in "iuf" or not (np.isin(found, (0, 1)) | np.isnan(found)).all():
        raise UserError(f"{name} of type {found.dtype}: give whether it holds, true or false")
    return where_known(found, ~np.isnan(found))


def where_known(event: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The event as booleans, or as 0, 1 and NaN where some are not known."""
    return event.astype(bool) if known.all() else np.where(known, event.astype(np.float64), np.nan)


def rate(event: ArrayLike, given: ArrayLike | None = None) -> Rate:
    """P(event | given) over boolean arrays `[N]`: of the examples in `given`, the share in `event`.

    `given` is every example by default. The value is None if it depends on an example that is NaN,
    which means not known.

    >>> from jaxadv import metrics
    >>> metrics.rate([True, False, True], given=[True, True, False])
    Rate(value=0.5, n=2)
    >>> metrics.rate([True], given=[False])  # 0/0
    Rate(value=None, n=0)

    Raises:
        UserError: if they are not boolean, or of different lengths.
    """
    event = whether(event, "event")
    given = np.ones(event.shape, bool) if given is None else whether(given, "given")
    if event.ndim != 1 or event.shape != given.shape:
        raise UserError(f"events {event.shape}, given {given.shape}: give [N] both, of one N")
    of = given != 0  # NaN among them
    count = int(of.sum())
    known = not (np.isnan(event[of]).any() or np.isnan(given).any())
    return Rate(float(event[of].mean()) if count and known else None, count)
