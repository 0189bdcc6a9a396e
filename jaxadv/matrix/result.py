"""`Transfer`: rows of a matrix of models, and the rates, tables and figures made of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxadv.checks import check_choice
from jaxadv.errors import UserError
from jaxadv.metrics import Interval
from jaxadv.results import Row, over_seeds, select
from jaxadv.schema import shortest

# The rates of a target, and the source's own success that stands beside each.
_SUCCESS = {
    "transfer_rate": "success_rate",
    "transfer_rate_clean_correct": "success_rate_clean_correct",
    "error_rate": "success_rate",
}


@dataclass(frozen=True)
class Transfer:
    """What images made on each source do to each model.

    rows: plain dicts, one number each; `pandas.DataFrame(result.rows)` takes them. `metric` is
        clean_accuracy, success_rate (every attacked model wrong, or taking the image for its
        target), transfer_rate (the same of another model, of images that succeed on the source),
        both again with _clean_correct (of images that all of them had right before), or error_rate;
        `value` is null for 0/0; `n` is of how many images; `seed` and `target_seed` number the
        models of a name.
    images: for each source `[seeds, A, K, …]`, the images asked for by `keep`.
    sources, targets: their names. radii: of the attack, in units of the image range. All in the
        order in which they were given.

    >>> from jaxadv.matrix import Transfer
    >>> row = {"source": "a", "seed": 0, "eps": 0.1, "value": 0.5, "n": 4}
    >>> found = [
    ...     {**row, "metric": "success_rate", "value": 1.0},
    ...     {**row, "metric": "transfer_rate", "target": "b", "target_seed": 0},
    ... ]
    >>> result = Transfer(found, {}, sources=("a",), targets=("a", "b"), radii=(0.1,))
    >>> print(result.success("a"), result.rate("a", "b"), result.rate("a", "a"))
    1.000 0.500 None
    >>> print(result.table())
    source  eps  success  a  b
    a       0.1  1.000    –  0.500
    """

    rows: list[Row]
    images: dict[str, np.ndarray]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    radii: tuple[float, ...]

    def rate(
        self, source: str, target: str, metric: str = "transfer_rate", eps: float | None = None
    ) -> Interval | None:
        """Mean and 95 % interval; None where none is known, or a model would be asked of itself.

        Over the source's models, each a mean over the target's; of a single source over those.
        metric: transfer_rate, transfer_rate_clean_correct or error_rate, shares of 1.
        eps: the radius; may be left out if there is one.

        Raises:
            UserError: if there is no such source, target, rate or radius.
        """
        check_choice("source", source, self.sources)
        check_choice("target", target, self.targets)
        check_choice("metric", metric, _SUCCESS)
        where = {"metric": metric, "source": source, "target": target, "eps": self._at(eps)}
        found = select(self.rows, **where)
        if len({row["seed"] for row in found}) < 2:
            found = [{**row, "seed": row["target_seed"]} for row in found]
        return over_seeds(found)

    def success(
        self, source: str, metric: str = "success_rate", eps: float | None = None
    ) -> Interval | None:
        """Mean and 95 % interval over the source's models of their success.

        metric: success_rate or success_rate_clean_correct. eps: as for `rate`.

        Raises:
            UserError: if there is no such source, rate or radius.
        """
        check_choice("source", source, self.sources)
        check_choice("metric", metric, set(_SUCCESS.values()))
        return over_seeds(self.rows, metric=metric, source=source, eps=self._at(eps))

    def table(self, metric: str = "transfer_rate") -> str:
        """A line for each source and radius: its success, then the rate for every target.

        Raises:
            UserError: if there is no such rate.
        """
        check_choice("metric", metric, _SUCCESS)
        header = ["source", "eps", "success", *self.targets]
        lines = [
            [source, f"{eps:.3g}", _written(self.success(source, _SUCCESS[metric], eps))]
            + [_written(self.rate(source, target, metric, eps)) for target in self.targets]
            for eps in self.radii
            for source in self.sources
        ]
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        padded = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (header, *lines)
        ]
        return "\n".join(padded)

    def plot(
        self, path: str | Path, metric: str = "transfer_rate", eps: float | None = None
    ) -> None:
        """A heat map with numbers, sources down and targets across, written as PNG.

        metric, eps: as for `rate`.

        Raises:
            UserError: if there is no such rate or radius.
        """
        from jaxadv.plots.matrix import heat_map  # which loads matplotlib, by no means always

        check_choice("metric", metric, _SUCCESS)
        at = self._at(eps)
        means = [[self.rate(s, t, metric, at) for t in self.targets] for s in self.sources]
        values = np.array([[np.nan if m is None else m.mean for m in line] for line in means])
        heat_map(values, self.sources, self.targets, metric, path)

    def _at(self, eps: float | None) -> float:
        if eps is None and len(self.radii) == 1:
            return self.radii[0]
        found = None if eps is None else shortest(eps)
        if found not in self.radii:
            raise UserError(f"eps {eps}: give one of {', '.join(f'{r:g}' for r in self.radii)}")
        return found


def _written(value: Interval | None) -> str:
    return "–" if value is None else str(value)
