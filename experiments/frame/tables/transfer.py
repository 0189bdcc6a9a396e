"""Tables of attacks: what they do to the member attacked, to the others, and to all at once."""

from collections.abc import Sequence

from experiments.frame.tables.attacks import LINE, TOLD_BY, compared, each_attack, less_first
from experiments.frame.tables.networks import correlations, headings, ways
from experiments.frame.tables.table import Table, written
from jaxadv.evaluation import ALL
from jaxadv.plots.reduce import distinct, members_of, single_source, sources_of
from jaxadv.results import Row, over_seeds, select


def transfer(rows: Sequence[Row]) -> Table:
    """For each attack and variant: success on one member, and how often the others err too.

    Beside the mean of all directions: its difference from the first variant's, paired by seed,
    and the mean under the clean-correct denominator.
    """
    both = ways(sources_of(rows), members_of(rows))
    header = [*LINE, "success", *(f"{source}→{target}" for source, target in both)]
    header += ["transfer", less_first(rows), "clean-correct"]
    lines = []
    for words, chosen, first, seeds in each_attack(rows):
        single = single_source(chosen)
        rates = select(single, metric="transfer_rate")
        strict = select(single, metric="transfer_rate_clean_correct")
        each = [over_seeds(rates, source=source, target=target) for source, target in both]
        line = [*words, written(over_seeds(single, metric="success_rate"), seeds)]
        line += [written(way, seeds) for way in (*each, over_seeds(rates))]
        line.append(compared(rates, single_source(first), metric="transfer_rate"))
        lines.append([*line, written(over_seeds(strict), seeds)])
    title = "Transfer rate, P(target wrong | source wrong); difference paired by seed"
    matters = (*TOLD_BY, "transfer", less_first(rows))
    return Table(title, header, lines, matters)


def one_and_all(rows: Sequence[Row]) -> Table:
    """For each attack and variant: success on one member, and on both by the joint attack.

    The joint attack counts twice: where it fools both members, and where it fools the mean of
    their probabilities, with the difference of that from the first variant's.
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
    return Table(title, header, lines, (*TOLD_BY, "one", "both"))


def adversarial_features(rows: Sequence[Row]) -> Table:
    """R² on adversarial images crafted on one member, the mean of all sources."""
    members = members_of(rows)
    header = [*LINE, *headings("R²", members), *headings("held out", members)]
    lines = [
        [*words, *correlations(single_source(chosen), members, seeds)]
        for words, chosen, _, seeds in each_attack(rows)
        if select(chosen, metric="r_squared")
    ]
    return Table("R² of the features on adversarial images crafted on one member", header, lines)


def over_epochs(rows: Sequence[Row]) -> Table:
    """Transfer rate after each of the epochs, and the last one's difference from the first.

    Then that of the last epoch from the first variant's, both paired by seed.
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
