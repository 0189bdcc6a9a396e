"""Written rows to tables: means and 95 % intervals over seeds, for a terminal and for Markdown."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as RichTable

from experiments.rows import USUAL_ALARMS
from experiments.soundness import collapsed, pairs_of, seeds_of
from jaxadv.evaluation import ALL
from jaxadv.metrics import Interval, mean_line, paired_difference
from jaxadv.plots.reduce import (
    against_distance,
    distinct,
    single_source,
    unknown_pairs,
    why_unknown,
)
from jaxadv.results import Row, by_seed, over_seeds, select

SWEPT = ("eps", "confidence")  # keys of rows: what of an attack is swept


class Table(NamedTuple):
    """A titled table of words, ready to print."""

    title: str
    header: list[str]
    lines: list[list[str]]


def written(value: Interval | None, seeds: int | None = None, *, median: bool = False) -> str:
    """Mean ± half-width, the median in brackets on request; a dash for nothing.

    seeds: how many there are: where fewer have a value, the number that have is added.
    """
    if value is None:
        return "–"
    shown = f"{value} ({value.median:.3f})" if median else str(value)
    return shown + (_of_fewer(value, seeds) if seeds is not None else "")


def _of_fewer(value: Interval, seeds: int) -> str:
    return f" (n {value.n})" if value.n < seeds else ""


def networks(rows: Sequence[Row]) -> Table:
    """Clean accuracy (mean, and of the worst member), R² both ways, what became of the features.

    "of logits": held-out R² of the other's logits from the features. "PCA R²" is that of the first
    components; "first PC" each member's share of variance in it. "live columns" vary. The last
    column names the images whose features were regressed: half to fit, half held out.
    """
    header = ["model", "pairs", "seeds", "collapsed", "clean accuracy", "lowest", "R² 1→2"]
    header += ["R² 2→1", "held out 1→2", "held out 2→1", "of logits 1→2", "of logits 2→1"]
    header += ["PCA R²", "first PC", "live columns", "R² on"]
    lines = []
    for model in distinct(rows, "model"):
        for name, pairs in pairs_of(rows, model):
            chosen, lost = select(pairs, attack=None), collapsed(pairs)
            members = [row for row in chosen if row.get("target") in ("1", "2")]
            accuracy = select(members, metric="clean_accuracy")
            known = [row["value"] for row in accuracy if row["value"] is not None]
            line = [model, name, seeds_of(chosen, len(lost))]
            line.append(str(sum(n > 0 for n in lost.values())))
            line.append(written(over_seeds(accuracy), len(lost)))
            line.append(f"{min(known):.3f}" if known else "–")
            line += correlations(chosen, len(lost), median=True)
            line += both_ways(chosen, len(lost), metric="logit_r_squared_held_out")
            line.append(written(over_seeds(chosen, metric="component_r_squared"), len(lost)))
            line.append(of_members(members, "component_share", ".2f", len(lost)))
            line.append(of_members(members, "live_columns", ".0f", len(lost)))
            images = select(chosen, metric="component_r_squared")
            line.append(", ".join(f"{r[0]:,} {r[1]}" for r in distinct(images, "n", "split")))
            lines.append(line)
    return Table("Networks: mean ± 95 % interval over seeds (median)", header, lines)


def accuracies(rows: Sequence[Row]) -> Table:
    """Clean accuracy of each member and of the mean of their probabilities, and in training."""
    header = ["model", "pairs", "seeds", "collapsed", "network 1", "network 2", "mean probability"]
    trained = select(rows, metric="train_accuracy")
    header += ["1, training", "2, training"] if trained else []
    lines = []
    for model in distinct(rows, "model"):
        for name, pairs in pairs_of(rows, model):
            clean, lost = select(pairs, metric="clean_accuracy", attack=None), collapsed(pairs)
            words = [model, name, seeds_of(select(pairs, attack=None), len(lost))]
            words.append(str(sum(n > 0 for n in lost.values())))
            targets, seen = ("1", "2", "ensemble"), select(pairs, metric="train_accuracy")
            words += [written(over_seeds(clean, target=t), len(lost)) for t in targets]
            words += [
                written(over_seeds(seen, target=t), len(lost)) for t in targets[:2] if trained
            ]
            lines.append(words)
    return Table("Clean accuracy: mean ± 95 % interval over seeds", header, lines)


def correlations(rows: Sequence[Row], seeds: int, *, median: bool = False) -> list[str]:
    """R² from 1 to 2 and from 2 to 1, in-sample, then held-out."""
    inside, outside = "r_squared", "r_squared_held_out"
    return [
        *both_ways(rows, seeds, metric=inside, median=median),
        *both_ways(rows, seeds, metric=outside, median=median),
    ]


def both_ways(
    rows: Sequence[Row], seeds: int, *, metric: str, median: bool = False
) -> tuple[str, ...]:
    """A score from 1 to 2 and from 2 to 1."""
    directions = (("1", "2"), ("2", "1"))
    scores = [
        over_seeds(rows, metric=metric, from_features_of=source, features_of=target)
        for source, target in directions
    ]
    return tuple(written(score, seeds, median=median) for score in scores)


def of_members(rows: Sequence[Row], metric: str, digits: str, seeds: int) -> str:
    """The mean over seeds of each member's value, and of how many where some have none."""
    means = [over_seeds(rows, metric=metric, target=target) for target in ("1", "2")]
    return ", ".join(
        f"{mean.mean:{digits}}{_of_fewer(mean, seeds)}" if mean else "–" for mean in means
    )


class Attacked(NamedTuple):
    """A line of a table of attacks: its first words, its rows, rows to compare, number of seeds.

    first: the same attack's on the first defence; none for the first defence itself, and none where
        other images were attacked.
    """

    words: list[str]
    rows: list[Row]
    first: list[Row]
    seeds: int


def each_attack(rows: Sequence[Row]) -> Iterator[Attacked]:
    """A line for every attack setting and pairs."""
    keys = ("model", "attack", "ball", *SWEPT)
    settings: dict[tuple[Any, ...], None] = dict.fromkeys(
        tuple(r.get(k) for k in keys) for r in rows if "attack" in r
    )
    for setting in settings:
        model, attack, ball, *_ = setting
        at = dict(zip(keys[1:], setting[1:], strict=True))
        first: list[Row] | None = None
        for name, pairs in pairs_of(rows, model):
            chosen = select(pairs, **at)
            if not chosen:
                continue
            words = [model, attack, ball, radius(chosen[0]), name, images(chosen)]
            first = chosen if first is None else first
            fair = first is not chosen and images(first) == images(chosen)
            seeds = len(collapsed(pairs))
            words.append(seeds_of(chosen, seeds))
            yield Attacked(words, chosen, first if fair else [], seeds)


def radius(row: Row) -> str:
    """What of the attack was swept, a radius by its value alone."""
    if row.get("eps") is not None:
        return f"{row['eps']:.3g}"
    return next(f"{name} {row[name]:.3g}" for name in SWEPT if row.get(name) is not None)


def images(rows: Iterable[Row]) -> str:
    """How many images were attacked."""
    return images_of(select(rows, metric="error_rate"))


def images_of(rows: Iterable[Row]) -> str:
    """How many images rows are measured on."""
    return ", ".join(f"{n:,}" for n in distinct(rows, "n"))


def compared(rows: Sequence[Row], first: Sequence[Row], **where: Any) -> str:
    """The difference from the first defence's value, paired by seed; nothing for itself.

    Of fewer seeds than both were measured on it says of how many.
    """
    here, there = (select(each, **where) for each in (rows, first))
    if not there:
        return ""
    both = {row["seed"] for row in here} & {row["seed"] for row in there}
    return written(paired_difference(by_seed(here), by_seed(there)), len(both))


LINE = ["model", "attack", "ball", "eps", "pairs", "images", "seeds"]


def less_first(rows: Sequence[Row]) -> str:
    """The heading of a difference from the first defence."""
    return " ".join(["−", *distinct(rows, "defence")[:1]])


def transfer(rows: Sequence[Row]) -> Table:
    """For each attack and defence: success on one member, and how often the other errs too.

    Beside the mean of both directions: its difference from the first defence's, paired by seed,
    and the mean under the clean-correct denominator.
    """
    header = [*LINE, "success", "1→2", "2→1", "transfer", less_first(rows), "clean-correct"]
    lines = []
    for words, chosen, first, seeds in each_attack(rows):
        single = single_source(chosen)
        rates = select(single, metric="transfer_rate")
        strict = select(single, metric="transfer_rate_clean_correct")
        lines.append(
            [
                *words,
                written(over_seeds(single, metric="success_rate"), seeds),
                *(written(over_seeds(rates, target=target), seeds) for target in ("2", "1")),
                written(over_seeds(rates), seeds),
                compared(rates, single_source(first), metric="transfer_rate"),
                written(over_seeds(strict), seeds),
            ]
        )
    title = "Transfer rate, P(target wrong | source wrong); difference paired by seed"
    return Table(title, header, lines)


def one_and_all(rows: Sequence[Row]) -> Table:
    """For each attack and defence: success on one member, and on both by the joint attack.

    The joint attack counts twice: where it fools both members, and where it fools the mean of
    their probabilities, with the difference of that from the first defence's.
    """
    header = [*LINE, "one", "both", "mean probability", less_first(rows)]
    joint = {"metric": "error_rate", "source": ALL, "target": "ensemble"}
    lines = [
        [
            *words,
            written(over_seeds(single_source(chosen), metric="success_rate"), seeds),
            written(over_seeds(chosen, metric="success_rate", source=ALL), seeds),
            written(over_seeds(chosen, **joint), seeds),
            compared(chosen, first, **joint),
        ]
        for words, chosen, first, seeds in each_attack(rows)
        if select(chosen, source=ALL)
    ]
    title = "Success of the attack on one member, on both at once, and on their mean probability"
    return Table(title, header, lines)


def detection(rows: Sequence[Row]) -> Table:
    """How well disagreement tells images that fooled one member, or all, from natural ones.

    The area under the ROC curve, and the share found where 5 % of natural images raise an alarm;
    "transferred" is the share of those images, made on one member, that another one gets wrong too.
    """
    header = [*LINE, "AUC one", "found one", less_first(rows), "found transferred"]
    header += ["AUC all", "found all"]
    lines = []
    for words, chosen, first, seeds in each_attack(rows):
        if not select(chosen, metric="detection_auc"):
            continue
        chosen, first = (_at_usual_alarms(rows) for rows in (chosen, first))
        single, joint = single_source(chosen), select(chosen, source=ALL)
        lines.append(
            [
                *words,
                written(over_seeds(single, metric="detection_auc"), seeds),
                written(over_seeds(single, metric="detection_rate"), seeds),
                compared(single, single_source(first), metric="detection_rate"),
                written(over_seeds(single, metric="detection_rate_transferred"), seeds),
                written(over_seeds(joint, metric="detection_auc"), seeds),
                written(over_seeds(joint, metric="detection_rate"), seeds),
            ]
        )
    title = (
        "Detection by disagreement of images that fooled one member, or all, at 5 % false alarms"
    )
    return Table(title, header, lines)


def _at_usual_alarms(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.get("alarms", USUAL_ALARMS) == USUAL_ALARMS]


def adversarial_features(rows: Sequence[Row]) -> Table:
    """R² on adversarial images crafted on one member, the mean of both sources."""
    header = [*LINE, "R² 1→2", "R² 2→1", "held out 1→2", "held out 2→1"]
    lines = [
        [*words, *correlations(single_source(chosen), seeds)]
        for words, chosen, _, seeds in each_attack(rows)
        if select(chosen, metric="r_squared")
    ]
    return Table("R² of the features on adversarial images crafted on one member", header, lines)


def over_epochs(rows: Sequence[Row]) -> Table:
    """Transfer rate after each of the epochs, and the last one's difference from the first.

    Then that of the last epoch from the first pairs', both paired by seed.
    """
    rates = single_source(select(rows, metric="transfer_rate"))
    epochs = sorted(distinct(rates, "epoch"))
    header = [*LINE]
    header += [*(f"epoch {epoch}" for epoch in epochs), f"{epochs[-1]} − {epochs[0]}"]
    header.append(f"{less_first(rates)}, epoch {epochs[-1]}")
    lines = []
    for words, chosen, first, seeds in each_attack(rows):
        rates, base = (select(single_source(r), metric="transfer_rate") for r in (chosen, first))
        each = [select(rates, epoch=epoch) for epoch in epochs]
        change = compared(each[-1], each[0])
        apart = compared(each[-1], select(base, epoch=epochs[-1]))
        lines.append([*words, *(written(over_seeds(rate), seeds) for rate in each), change, apart])
    return Table("Transfer rate after each epoch: mean ± 95 % over seeds", header, lines)


def slopes(rows: Sequence[Row]) -> Table:
    """Transfer and R² against ‖θ1 − θ2‖²: the mean slope of the seeds' least-squares lines."""
    header = ["model", "metric", "eps", "pairs", "mean", "slope per 1000", "seeds"]
    header += ["0 in the interval"]
    lines = []
    for model in distinct(rows, "model"):
        for metric in ("transfer_rate", "r_squared", "r_squared_held_out"):
            measured = single_source(select(rows, model=model, metric=metric))
            for eps in [None, *distinct(measured, "eps")]:
                cells = _slope(select(measured, eps=eps), why_unknown(metric))
                if cells:
                    at = "natural" if eps is None else f"{eps:.3g}"
                    lines.append([model, metric, at, *cells])
    title = "Against the squared distance of the weights: slope of each seed's line, mean ± 95 %"
    return Table(title, header, lines)


def _slope(rows: Sequence[Row], why: str) -> list[str]:
    """Pairs, mean, slope, seeds, whether 0 is in its interval; dashes where pairs had none to give.

    Nothing where nothing was measured. why: in a word, why pairs have no value.
    """
    clouds, lost = against_distance(rows), len(unknown_pairs(rows))
    line = mean_line(clouds.values())
    if line is None and not lost:
        return []
    values = [value for cloud in clouds.values() for value in cloud.value]
    pairs = f"{len(values)}, {lost} {why}" if lost else str(len(values))
    mean = f"{sum(values) / len(values):.3f}" if values else "–"
    if line is None:
        return [pairs, mean, *["–"] * 3]
    slope = line.slope
    half = "" if slope.half is None else f" ± {1000 * slope.half:.4f}"
    within = "–" if slope.half is None else "no" if slope.excludes_zero else "yes"
    return [pairs, mean, f"{1000 * slope.mean:+z.4f}{half}", str(slope.n), within]


def show(table: Table) -> None:
    """Print to standard output, every line whole however narrow the terminal."""
    printed = RichTable(title=table.title, title_justify="left", box=SIMPLE)
    for number, name in enumerate(table.header):
        numeric = any(line[number][:1] in "0123456789+-–" for line in table.lines)
        printed.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for line in table.lines:
        printed.add_row(*line)
    # Names from files are no markup: "[red]" is a name.
    Console(width=500, markup=False, emoji=False).print(printed)


def markdown(table: Table) -> str:
    """A GitHub table."""
    rule = ["---"] * len(table.header)
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (table.header, *table.lines)]
    lines.insert(1, rule)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
