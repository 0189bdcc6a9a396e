"""Tables of the studies of input gradients."""

from collections.abc import Sequence

import numpy as np

from experiments.frame.soundness import COLLAPSED_BELOW, seeds_of, variants_of
from experiments.frame.tables.attacks import LINE, compared, each_attack, images_of, less_first
from experiments.frame.tables.table import Table, written
from jaxadv.metrics import polynomial_fit
from jaxadv.plots.reduce import distinct, single_source
from jaxadv.results import Row, over_seeds, select, unknown


def gradients(rows: Sequence[Row]) -> Table:
    """Angles and lengths of the members' input gradients on natural images.

    Of each seed the mean over images of the cosine, of its absolute value, and of the cosine where
    gradients that vanish count as perpendicular (`gradients.as_of_probabilities`); its standard
    deviation, and the members' mean length of the true class's probability's gradient.
    """
    header = ["model", "variant", "split", "images", "seeds", "cosine", "|cosine|"]
    header += ["cosine of ∇p, clamped", "deviation", "length 1", "length 2", "difference"]
    lines = []
    for model, split in distinct(select(rows, metric="cosine"), "model", "split"):
        for name, runs in variants_of(rows, model):
            chosen = select(runs, split=split)
            cosine = select(chosen, metric="cosine")
            seeds = len(distinct(cosine, "seed"))
            lost = seeds_of(select(runs, attack=None), seeds)
            line = [model, name, split, images_of(cosine), lost]
            names = ("cosine", "absolute_cosine", "cosine_of_probabilities", "cosine_deviation")
            line += [written(over_seeds(chosen, metric=metric), seeds) for metric in names]
            lengths = select(chosen, metric="gradient_norm")
            line += [written(over_seeds(lengths, target=target), seeds) for target in ("1", "2")]
            line.append(written(over_seeds(chosen, metric="gradient_norm_difference"), seeds))
            lines.append(line)
    return Table("Input gradients on natural images: mean ± 95 % over seeds", header, lines)


def asymmetry(rows: Sequence[Row]) -> Table:
    """Success on each network and transfer each way, of images that were right before.

    Tables 4 to 6 of Adam et al. (2019). The last columns are differences, paired by seed: of the
    ways, and of their mean from the first variant's.
    """
    header = [*LINE, "M1", "M2", "M1→M2", "M2→M1", "M1→M2 − M2→M1", less_first(rows)]
    lines = []
    for words, chosen, first, seeds in each_attack(rows):
        here, base = single_source(chosen), single_source(first)
        success = select(here, metric="success_rate_clean_correct")
        rates, others = (select(r, metric="transfer_rate_clean_correct") for r in (here, base))
        forth, back = (select(rates, source=source) for source in ("1", "2"))
        each = [*(select(success, source=source) for source in ("1", "2")), forth, back]
        line = [*words, *(written(over_seeds(way), seeds) for way in each)]
        lines.append([*line, compared(forth, back), compared(rates, others)])
    title = (
        "Success on each network, of images it had right, and transfer each way, of images both "
        "had right: mean ± 95 % over seeds"
    )
    return Table(title, header, lines)


def length_fits(rows: Sequence[Row]) -> Table:
    """Transfer against the mean length of network 2's gradients: the parabola through all pairs.

    Lengths are those measured on test images. Pairs with a collapsed network are left out, and so
    are those with one that diverged, which are counted. Beside its R² that of a straight line, and
    that of the parabola through the means over seeds of each target length.
    """
    header = ["model", "attack", "eps", "from", "pairs", "length²", "length", "constant"]
    header += ["R²", "R² of a line", "R² of means"]
    clean = select(rows, metric="clean_accuracy")
    broken = {_pair(row) for row in clean if unknown(row)}
    lost = {_pair(row) for row in clean if (row["value"] or 0) < COLLAPSED_BELOW}
    lengths = {
        _pair(row): row["value"]
        for row in _lengths(rows)
        if row["value"] is not None and _pair(row) not in lost
    }
    rates = single_source(select(rows, metric="transfer_rate_clean_correct"))
    keys = ("run", "model", "attack", "eps", "source", "target")
    lines = []
    for setting in distinct(rates, *keys):
        here = select(rates, **dict(zip(keys, setting, strict=True)))
        known = [row for row in here if row["value"] is not None and _pair(row) in lengths]
        x, y = [lengths[_pair(row)] for row in known], [row["value"] for row in known]
        parabola, straight = (polynomial_fit(x, y, degree) for degree in (2, 1))
        means = polynomial_fit(*_means(known, x, y), 2)
        _, model, attack, eps, source, target = setting
        count = len({_pair(row) for row in here} & broken)
        pairs = f"{len(known)}, {count} diverged" if count else str(len(known))
        cells = [model, attack, f"{eps:.3g}", f"{source}→{target}", pairs]
        coefficients = parabola.coefficients if parabola else ()
        cells += [f"{c:+.3f}" for c in coefficients] or ["–"] * 3
        cells += [f"{fit.r_squared:.3f}" if fit else "–" for fit in (parabola, straight, means)]
        lines.append(cells)
    title = "Transfer (clean-correct) against the measured length of network 2's gradients"
    return Table(title, header, lines)


def _means(
    rows: Sequence[Row], x: Sequence[float], y: Sequence[float]
) -> tuple[list[float], list[float]]:
    """The means of x and of y over the seeds of each target length."""
    targets = np.asarray([row["length"] for row in rows])
    each = [targets == target for target in distinct(rows, "length")]
    x_means, y_means = ([float(np.mean(np.asarray(v)[at])) for at in each] for v in (x, y))
    return x_means, y_means


def _lengths(rows: Sequence[Row]) -> list[Row]:
    return select(rows, metric="gradient_norm", target="2", split="test")


def _pair(row: Row) -> tuple:
    return row.get("run"), row["model"], row["variant"], row["seed"]
