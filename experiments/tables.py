"""Written rows to tables: means and 95 % intervals over seeds, for the terminal and the README."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from jaxadv.evaluation import ALL
from jaxadv.metrics import Interval, interval, mean_line, paired_difference
from jaxadv.plots.reduce import against_distance, distinct, single_source
from jaxadv.results import Row, by_seed, over_seeds, select

COLLAPSED_BELOW = 0.5  # clean accuracy of a member that has not learned the classes


class Table(NamedTuple):
    """A titled table of words, ready to print."""

    title: str
    header: list[str]
    lines: list[list[str]]


def written(value: Interval | None, *, median: bool = False) -> str:
    """Mean ± half-width, with the median in brackets on request; a dash for nothing."""
    if value is None:
        return "–"
    return f"{value} ({value.median:.3f})" if median else str(value)


def collapsed(rows: Iterable[Row], model: str, defence: str) -> dict[int, int]:
    """For each seed, how many members are below 50 % clean accuracy."""
    counts: dict[int, int] = {}
    for row in select(rows, metric="clean_accuracy", model=model, defence=defence):
        if row["target"] != "ensemble":
            counts.setdefault(row["seed"], 0)
            counts[row["seed"]] += row["value"] < COLLAPSED_BELOW
    return counts


def networks(rows: Sequence[Row]) -> Table:
    """Clean accuracy (mean, and of the worst member), R² both ways, live feature columns.

    The last column names the images whose features were regressed: half to fit, half held out.
    """
    header = ["model", "pairs", "seeds", "collapsed", "clean accuracy", "lowest", "R² 1→2"]
    header += ["R² 2→1", "held out 1→2", "held out 2→1", "PCA R²", "live columns", "R² on"]
    lines = []
    for model in distinct(rows, "model"):
        for defence in distinct(select(rows, model=model), "defence"):
            chosen = select(rows, model=model, defence=defence, attack=None)
            lost = collapsed(rows, model, defence)
            members = [row for row in chosen if row.get("target") in ("1", "2")]
            accuracy = interval(list(by_seed(select(members, metric="clean_accuracy")).values()))
            line = [model, defence, str(len(lost)), str(sum(n > 0 for n in lost.values()))]
            line.append(written(accuracy))
            line.append(f"{min(r['value'] for r in select(members, metric='clean_accuracy')):.3f}")
            for metric in ("r_squared", "r_squared_held_out"):
                for source, target in (("1", "2"), ("2", "1")):
                    where = {"from_features_of": source, "features_of": target}
                    line.append(written(over_seeds(chosen, metric=metric, **where), median=True))
            line.append(written(over_seeds(chosen, metric="component_r_squared")))
            live = [over_seeds(members, metric="live_columns", target=t) for t in ("1", "2")]
            line.append(", ".join(f"{value.mean:.0f}" if value else "–" for value in live))
            images = select(chosen, metric="component_r_squared")
            line.append(", ".join(f"{r[0]:,} {r[1]}" for r in distinct(images, "n", "split")))
            lines.append(line)
    return Table("Networks: mean ± 95 % interval over seeds (median)", header, lines)


def attack_settings(rows: Sequence[Row]) -> list[tuple[str, str, str, float]]:
    """Every (model, attack, ball, eps) in order of appearance."""
    keys = ("model", "attack", "ball", "eps")
    return list(dict.fromkeys(tuple(r[k] for k in keys) for r in rows if "attack" in r))


def transfer(rows: Sequence[Row]) -> Table:
    """For each attack and defence: success on one member, and how often the other errs too.

    Beside the mean of both directions over all seeds: over the seeds no member of which collapsed;
    under the clean-correct denominator; and its difference from the first defence's, by seed.
    """
    header = ["model", "attack", "ball", "eps", "pairs", "success", "1→2", "2→1", "transfer"]
    header += [
        "of uncollapsed",
        "clean-correct",
        *(f"− {d}" for d in distinct(rows, "defence")[:1]),
    ]
    lines = []
    for model, attack, ball, eps in attack_settings(rows):
        at = {"model": model, "attack": attack, "ball": ball, "eps": eps}
        first: dict[int, float] = {}
        for number, defence in enumerate(distinct(select(rows, **at), "defence")):
            chosen = single_source(select(rows, defence=defence, **at))
            rates = select(chosen, metric="transfer_rate")
            seeds = by_seed(rates)
            first = first if number else seeds
            lost = collapsed(rows, model, defence)
            kept = [value for seed, value in seeds.items() if not lost.get(seed)]
            lines.append(
                [
                    *(model, attack, ball, f"{eps:.3g}", defence),
                    written(over_seeds(chosen, metric="success_rate")),
                    *(written(over_seeds(rates, target=target)) for target in ("2", "1")),
                    written(interval(list(seeds.values()))),
                    f"{written(interval(kept))} (n {len(kept)})",
                    written(over_seeds(chosen, metric="transfer_rate_clean_correct")),
                    written(paired_difference(seeds, first)) if number else "",
                ]
            )
    title = "Transfer rate, P(target wrong | source wrong); difference paired by seed"
    return Table(title, header, lines)


def one_and_all(rows: Sequence[Row]) -> Table:
    """For each attack and defence: success on one member, and on both by the joint attack.

    The joint attack counts twice: where it fools both members, and where it fools the mean of
    their probabilities.
    """
    header = ["model", "attack", "ball", "eps", "pairs", "one", "both", "mean probability"]
    lines = []
    for model, attack, ball, eps in attack_settings(rows):
        at = {"model": model, "attack": attack, "ball": ball, "eps": eps}
        for defence in distinct(select(rows, **at), "defence"):
            chosen = select(rows, defence=defence, **at)
            joint = {"metric": "error_rate", "source": ALL, "target": "ensemble"}
            lines.append(
                [
                    *(model, attack, ball, f"{eps:.3g}", defence),
                    written(over_seeds(single_source(chosen), metric="success_rate")),
                    written(over_seeds(chosen, metric="success_rate", source=ALL)),
                    written(over_seeds(chosen, **joint)),
                ]
            )
    title = "Success of the attack on one member, on both at once, and on their mean probability"
    return Table(title, header, lines)


def slopes(rows: Sequence[Row]) -> Table:
    """Transfer and R² against ‖θ1 − θ2‖²: the mean slope of the seeds' least-squares lines."""
    header = ["metric", "eps", "pairs", "mean", "slope per 1000", "seeds", "0 in the interval"]
    lines = []
    for metric in ("transfer_rate", "r_squared", "r_squared_held_out"):
        for eps in [None, *distinct(rows, "eps")]:
            clouds = against_distance(single_source(select(rows, metric=metric, eps=eps)))
            line = mean_line(clouds.values())
            if line is None:
                continue
            values = [value for cloud in clouds.values() for value in cloud.value]
            slope = line.slope
            half = "" if slope.half is None else f" ± {1000 * slope.half:.4f}"
            within = "–" if slope.half is None else "no" if slope.excludes_zero else "yes"
            cells = [metric, "natural" if eps is None else f"{eps:.3g}", str(len(values))]
            cells += [f"{sum(values) / len(values):.3f}", f"{1000 * slope.mean:+.4f}{half}"]
            lines.append([*cells, str(slope.n), within])
    title = "Against the squared distance of the weights: slope of each seed's line, mean ± 95 %"
    return Table(title, header, lines)


def show(table: Table) -> None:
    """Print to standard output, every line whole however narrow the terminal."""
    printed = RichTable(title=table.title, title_justify="left", box=SIMPLE)
    for number, name in enumerate(table.header):
        numeric = any(line[number][:1] in "0123456789+-–" for line in table.lines)
        printed.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for line in table.lines:
        printed.add_row(*line)
    Console(width=max(Console().width, 200)).print(printed)


def markdown(table: Table) -> str:
    """A GitHub table."""
    rule = ["---"] * len(table.header)
    lines = [table.header, rule, *table.lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
