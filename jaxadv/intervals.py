"""Means over seeds with their intervals, and lines and polynomials through what they measured."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit  # of Student; importing scipy.stats takes a second

from jaxadv.checks import check_whole, numbers
from jaxadv.errors import UserError


class Interval(NamedTuple):
    """A mean over `n` seeds with the half-width of its 95 % confidence interval.

    mean, half, median: in the unit of the values. half is None for a single seed. The median stands
        beside the mean for skewed quantities.

    >>> from jaxadv import metrics
    >>> found = metrics.Interval(mean=0.3, half=0.25, median=0.3, n=3)
    >>> print(found, found.excludes_zero)
    0.300 ± 0.250 True
    """

    mean: float
    half: float | None
    median: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + (f" ± {self.half:.3f}" if self.half is not None else "")

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside the interval; False for a single seed."""
        return self.half is not None and abs(self.mean) > self.half


def interval(values: Sequence[float]) -> Interval | None:
    """Mean and Student-t 95 % interval of one value a seed, `[S]`; None where there are none.

    Seeds whose value is None or not finite are left out, and `n` does not count them.

    >>> from jaxadv import metrics
    >>> print(metrics.interval([0.2, 0.3, 0.4]))
    0.300 ± 0.248

    Raises:
        UserError: if they are no list of numbers.
    """
    every = _listed(values)
    finite = every[np.isfinite(every)]
    if len(finite) == 0:
        return None
    half = None
    if len(finite) > 1:
        spread = finite.std(ddof=1) / np.sqrt(len(finite))
        half = float(stdtrit(len(finite) - 1, 0.975) * spread)
    return Interval(float(finite.mean()), half, float(np.median(finite)), len(finite))


def _listed(values: Any) -> np.ndarray:
    """Numbers `[N]` in float64, NaN for None.

    Raises:
        UserError: if they are no list of numbers.
    """
    wanted = "give a list of numbers, one a seed or a point"
    if isinstance(values, Sequence) and not isinstance(values, str):
        values = [np.nan if value is None else value for value in values]
    found = numbers("values", values, wanted)
    if found.ndim != 1:
        raise UserError(f"values of shape {found.shape}: {wanted}")
    return np.asarray(found, np.float64)


def paired_difference(a: dict[int, float], b: dict[int, float]) -> Interval | None:
    """Interval of `a − b` over the seeds that both have; each is `{seed: value}`.

    >>> from jaxadv import metrics
    >>> print(metrics.paired_difference({0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.4, 1: 0.4, 2: 0.4}))
    0.200 ± 0.248

    Raises:
        UserError: if they are no numbers by seed.
    """
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        raise UserError(
            f"a {type(a).__name__} and a {type(b).__name__} to compare: give {{seed: value}} both"
        )
    seeds = sorted(a.keys() & b.keys())
    return interval(_listed([a[s] for s in seeds]) - _listed([b[s] for s in seeds]))


def _points(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates `[N]` of points in float64.

    Raises:
        UserError: if they are no two lists of numbers of one length.
    """
    x, y = _listed(x), _listed(y)
    if len(x) != len(y):
        raise UserError(f"{len(x)} values of x, {len(y)} of y: give one y for each x")
    return x, y


def _finite(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


class Line(NamedTuple):
    """The mean of several least-squares lines: `y = intercept + slope.mean · x`.

    slope: with its 95 % interval over the lines.

    >>> from jaxadv import metrics
    >>> line = metrics.Line(metrics.interval([1.0, 3.0]), intercept=0.5)
    >>> line.slope.mean
    2.0
    """

    slope: Interval
    intercept: float


def mean_line(curves: Iterable[tuple[Sequence[float], Sequence[float]]]) -> Line | None:
    """The mean of the least-squares lines of y on x, one line for each curve `(x [P], y [P])`.

    A curve is a seed's, say. The points of a seed share its initial weights and batches, whereas
    seeds are independent: so the interval is over their slopes. Curves without two different x, or
    with a value that is not finite, are left out; None if all are.

    >>> from jaxadv import metrics
    >>> line = metrics.mean_line([([0.0, 1.0], [0.0, 1.0]), ([0.0, 1.0], [1.0, 4.0])])
    >>> round(line.slope.mean, 3), round(line.intercept, 3), line.slope.n  # slopes 1 and 3
    (2.0, 0.5, 2)

    Raises:
        UserError: if a curve is no two lists of numbers of one length.
    """
    points = [_points(x, y) for x, y in curves]
    lines = [np.polyfit(x, y, 1) for x, y in points if len(set(x)) > 1 and _finite(x, y)]
    if not lines:
        return None
    slopes, intercepts = np.transpose(lines)
    slope = interval(slopes.tolist())
    assert slope is not None
    return Line(slope, float(intercepts.mean()))


class Fit(NamedTuple):
    """A least-squares polynomial: coefficients, highest power first, and R² over its `n` points.

    >>> from jaxadv import metrics
    >>> parabola = metrics.polynomial_fit([0, 1, 2, 3], [0, 1, 4, 9], degree=2)
    >>> round(parabola.coefficients[0], 6), round(parabola.r_squared, 6), parabola.n
    (1.0, 1.0, 4)
    """

    coefficients: tuple[float, ...]
    r_squared: float
    n: int


def polynomial_fit(x: Sequence[float], y: Sequence[float], degree: int) -> Fit | None:
    """The least-squares polynomial of `y` on `x`, both `[N]`.

    None in four cases: it is not determined (no more than `degree` different x); it would meet
    every point whatever they are (no more than `degree` + 1 points); y is constant, so that R² is
    0/0; or a value is not finite.

    >>> from jaxadv import metrics
    >>> fit = metrics.polynomial_fit([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], degree=1)
    >>> [round(c, 6) for c in fit.coefficients], round(fit.r_squared, 6)
    ([1.0, 1.0], 1.0)

    Raises:
        UserError: if these are no two lists of numbers of one length, or no degree.
    """
    check_whole("degree", degree, 0)
    at, found = _points(x, y)
    few = len(set(at)) <= degree or len(at) <= degree + 1 or len(set(found)) < 2
    if few or not _finite(at, found):
        return None
    coefficients = np.polyfit(at, found, degree)
    missed = found - np.polyval(coefficients, at)
    return Fit(tuple(coefficients.tolist()), float(1 - np.mean(missed**2) / np.var(found)), len(at))
