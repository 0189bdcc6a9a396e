"""The table of attacks found by the members' disagreement."""

from collections.abc import Iterable, Sequence

from experiments.frame.rows import USUAL_ALARMS
from experiments.frame.tables.attacks import LINE, TOLD_BY, compared, each_attack, less_first
from experiments.frame.tables.table import Table, written
from jaxadv.evaluation import ALL
from jaxadv.plots.reduce import single_source
from jaxadv.results import Row, over_seeds, select


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
    return Table(title, header, lines, (*TOLD_BY, "found one", "found all"))


def _at_usual_alarms(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.get("alarms", USUAL_ALARMS) == USUAL_ALARMS]
