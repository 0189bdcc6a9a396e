"""Tables of networks on natural images: accuracy, and how well one's features tell another's."""

from collections.abc import Sequence

from experiments.frame.soundness import collapsed, seeds_of, variants_of
from experiments.frame.tables.table import Table, of_fewer, written
from jaxadv.plots.reduce import distinct, members_of
from jaxadv.results import Row, over_seeds, select


def networks(rows: Sequence[Row]) -> Table:
    """Clean accuracy (mean, and of the worst member), R² both ways, what became of the features.

    "of logits": held-out R² of the other's logits from the features. "PCA R²" is that of the first
    components; "first PC" each member's share of variance in it. "live columns" vary. The last
    column names the images whose features were regressed: half to fit, half held out.
    """
    members = members_of(rows)
    header = ["model", "variant", "seeds", "collapsed", "clean accuracy", "lowest"]
    header += headings("R²", members) + headings("held out", members)
    header += headings("of logits", members)
    header += ["PCA R²", "first PC", "live columns", "R² on"]
    lines = []
    for model in distinct(rows, "model"):
        for name, runs in variants_of(rows, model):
            chosen, lost = select(runs, attack=None), collapsed(runs)
            each = [row for row in chosen if row.get("target") in members]
            accuracy = select(each, metric="clean_accuracy")
            known = [row["value"] for row in accuracy if row["value"] is not None]
            line = [model, name, seeds_of(chosen, len(lost))]
            line.append(str(sum(n > 0 for n in lost.values())))
            line.append(written(over_seeds(accuracy), len(lost)))
            line.append(f"{min(known):.3f}" if known else "–")
            line += correlations(chosen, members, len(lost), median=True)
            line += each_way(chosen, members, len(lost), "logit_r_squared_held_out")
            line.append(written(over_seeds(chosen, metric="component_r_squared"), len(lost)))
            line.append(of_members(each, members, "component_share", ".2f", len(lost)))
            line.append(of_members(each, members, "live_columns", ".0f", len(lost)))
            images = select(chosen, metric="component_r_squared")
            line.append(", ".join(f"{r[0]:,} {r[1]}" for r in distinct(images, "n", "split")))
            lines.append(line)
    title = "Networks: mean ± 95 % interval over seeds (median)"
    matters = ("model", "variant", "clean accuracy", "collapsed", *headings("held out", members))
    return Table(title, header, lines, matters)


def accuracies(rows: Sequence[Row]) -> Table:
    """Clean accuracy of each member and of the mean of their probabilities, and in training."""
    members, trained = members_of(rows), select(rows, metric="train_accuracy")
    header = ["model", "variant", "seeds", "collapsed"]
    header += [*(f"network {member}" for member in members), "mean probability"]
    header += [f"{member}, training" for member in members] if trained else []
    lines = []
    for model in distinct(rows, "model"):
        for name, runs in variants_of(rows, model):
            clean, lost = select(runs, metric="clean_accuracy", attack=None), collapsed(runs)
            words = [model, name, seeds_of(select(runs, attack=None), len(lost))]
            words.append(str(sum(n > 0 for n in lost.values())))
            seen = select(runs, metric="train_accuracy")
            words += [
                written(over_seeds(clean, target=t), len(lost)) for t in (*members, "ensemble")
            ]
            words += [written(over_seeds(seen, target=t), len(lost)) for t in members if trained]
            lines.append(words)
    return Table("Clean accuracy: mean ± 95 % interval over seeds", header, lines)


def ways(sources: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str]]:
    """Every way from a member to another one."""
    return [(source, target) for source in sources for target in targets if source != target]


def headings(what: str, members: Sequence[str]) -> list[str]:
    """The headings of what goes from each member to each other."""
    return [f"{what} {source}→{target}".strip() for source, target in ways(members, members)]


def correlations(
    rows: Sequence[Row], members: Sequence[str], seeds: int, *, median: bool = False
) -> list[str]:
    """R² from each member to each other, in-sample, then held-out."""
    metrics = ("r_squared", "r_squared_held_out")
    return [
        words
        for metric in metrics
        for words in each_way(rows, members, seeds, metric, median=median)
    ]


def each_way(
    rows: Sequence[Row],
    members: Sequence[str],
    seeds: int,
    metric: str,
    *,
    median: bool = False,
) -> list[str]:
    """A score from each member to each other."""
    scores = [
        over_seeds(rows, metric=metric, from_features_of=source, features_of=target)
        for source, target in ways(members, members)
    ]
    return [written(score, seeds, median=median) for score in scores]


def of_members(
    rows: Sequence[Row], members: Sequence[str], metric: str, digits: str, seeds: int
) -> str:
    """The mean over seeds of each member's value, and of how many where some have none."""
    means = [over_seeds(rows, metric=metric, target=target) for target in members]
    return ", ".join(
        f"{mean.mean:{digits}}{of_fewer(mean, seeds)}" if mean else "–" for mean in means
    )
