"""Tables and figures of a finished run, from what it wrote and nothing else."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments import gradient_tables, pathway_tables, tables
from experiments.finished import is_finished as is_of
from experiments.finished import kept_arrays, read
from experiments.tables import Table
from jaxadv import plots
from jaxadv.errors import UserError, printable
from jaxadv.folder import owned
from jaxadv.parallel import leads
from jaxadv.plots.reduce import distinct, single_source
from jaxadv.results import Row, select


def pair_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `decorrelated_pairs`."""
    return [
        tables.networks(rows),
        tables.transfer(rows),
        tables.one_and_all(rows),
        tables.detection(rows),
        tables.adversarial_features(rows),
    ]


def pair_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Figs 2 and 3 of Wiedeman & Wang, and success rates."""
    plots.transfer_bars(rows, figures / "transfer.png")
    plots.metric_lines(rows, "success_rate", figures / "success.png")
    arrays = kept_arrays(directory, ("component",))
    if not arrays:
        _say(f"{directory}: without predictions.npz, no scatter of features")
        return
    for model in distinct(rows, "model"):
        panels = {}
        for defence, number in _first_runs(rows, model).items():
            score = select(rows, metric="component_r_squared", model=model, defence=defence)[0]
            x, y = arrays[f"{model}/components"][number]
            labels = arrays[f"{model}/component_labels"]
            panels[defence] = (x, y, score["value"], labels)
        plots.feature_scatter(panels, figures / f"features-{file_name(model)}.png")


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr)


def file_name(name: str) -> str:
    """A name from a file as part of a file's name: `dna-2` as it is, `../x` as `..%2Fx`."""
    return quote(name, safe=" ")


def surrogate_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `surrogate_defence`: as of pairs, without attacks on the new network alone.

    Once deployed, that is not seen.
    """
    return pair_tables([row for row in rows if row.get("source") != "2"])


def surrogate_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """The figures of `surrogate_defence`: as of pairs, of attacks on the surrogate alone."""
    pair_figures(directory, [row for row in rows if row.get("source") in (None, "1")], figures)


def _first_runs(rows: Sequence[Row], model: str) -> dict[str, int]:
    """Where each defence's first seed stands on the runs axis: defence by seed, in row order."""
    runs = list(
        dict.fromkeys(
            (row["defence"], row["seed"])
            for row in select(rows, metric="component_r_squared", model=model)
        )
    )
    first: dict[str, int] = {}
    for number, (defence, _) in enumerate(runs):
        first.setdefault(defence, number)
    return first


def alignment_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `gradient_alignment`."""
    return [
        tables.networks(rows),
        tables.accuracies(rows),
        gradient_tables.gradients(rows),
        gradient_tables.asymmetry(rows),
        tables.one_and_all(rows),
        tables.detection(rows),
    ]


def alignment_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Transfer and success of IGS; the paper has them as tables."""
    plots.transfer_bars(rows, figures / "transfer.png")
    plots.metric_lines(rows, "success_rate", figures / "success.png")


def magnitude_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `gradient_magnitude`."""
    return [
        tables.accuracies(rows),
        gradient_tables.gradients(rows),
        gradient_tables.asymmetry(rows),
        gradient_tables.length_fits(rows),
    ]


def magnitude_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Table 4 of Adam et al.: a panel for each radius, network 2's gradients' length across."""
    metric, across = "transfer_rate_clean_correct", "length asked of network 2's gradients"
    rates = single_source(select(rows, metric=metric))
    ways = [{**row, "defence": f"{row['source']} → {row['target']}"} for row in rates]
    panels = _each_radius(ways, "length")
    plots.metric_lines(panels, metric, figures / "transfer.png", across=across)


def _each_radius(rows: Sequence[Row], across: str) -> list[Row]:
    """Rows with a panel of `metric_lines` for each radius, and another of their keys across."""
    short = {eps: f"{eps:.3g}" for eps in distinct(rows, "eps")}
    named = short if len(set(short.values())) == len(short) else {eps: eps for eps in short}
    return [
        {**row, "attack": f"{row['attack']} {named[row['eps']]}", "eps": row[across]}
        for row in rows
    ]


def detection_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `disagreement_detection`."""
    return [
        tables.networks(rows),
        gradient_tables.gradients(rows),
        tables.detection(rows),
        tables.transfer(rows),
        tables.one_and_all(rows),
    ]


def detection_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """ROC curves, a panel for each radius, and success rates."""
    panels = _each_radius(select(rows, metric="detection_rate"), "alarms")
    path, across = figures / "roc.png", "false alarms"
    plots.metric_lines(panels, "detection_rate", path, label="attacks found", across=across)
    plots.metric_lines(rows, "success_rate", figures / "success.png")


def epoch_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `dverge`: networks before and after, transfer on the way."""
    ends = (0, max(row["epoch"] for row in rows))
    named = [
        {**row, "defence": f"{row['defence']}, epoch {row['epoch']}"}
        for row in rows
        if row["epoch"] in ends
    ]
    return [
        tables.networks(named),
        tables.over_epochs(rows),
        tables.one_and_all(named),
        tables.detection(named),
    ]


def epoch_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Fig 4 of Wiedeman & Wang: a panel for each radius, epochs across."""
    for metric in ("transfer_rate", "success_rate"):
        panels = _each_radius(select(rows, metric=metric), "epoch")
        name = f"{metric.partition('_')[0]}.png"
        plots.metric_lines(panels, metric, figures / name, across="epochs of DVERGE")


SHOWN = ("component", "pictures")  # words in the names of arrays that figures show


def distance_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of `parametric_distance`, pairs named by the distance they were trained to."""
    named = [{**row, "defence": f"‖θ1 − θ2‖² → {row['target_distance']:g}"} for row in rows]
    return [tables.networks(named), tables.slopes(rows), tables.one_and_all(named)]


def distance_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Fig 1 of Wiedeman & Wang."""
    plots.distance_panels(rows, figures / "distance.png")


def pathway_tables_of(rows: Sequence[Row]) -> list[Table]:
    """The tables of `dna` and `dna_sharing`."""
    tables_of = (pathway_tables.reconstructions, pathway_tables.survival, pathway_tables.single)
    return [table(rows) for table in tables_of]


def pathway_figures(directory: Path, rows: Sequence[Row], figures: Path) -> None:
    """Figs 6 to 10 of Wiedeman & Wang, and the preprint's panels of metrics, each direction's."""
    under_attack = [
        {key: value for key, value in row.items() if key != "source"}
        for row in rows
        if row.get("direction")
    ]
    survival = [{**row, "model": row["direction"]} for row in under_attack]
    label = "any reconstruction right"
    plots.metric_lines(survival, "any_correct", figures / "accuracy.png", label=label)
    for direction in distinct(under_attack, "direction"):
        panels = [
            {**row, "model": row["metric"].replace("_", " "), "metric": "share"}
            for row in select(under_attack, direction=direction)
            if row["metric"] in list(pathway_tables.RATES)[1:]
        ]
        plots.metric_lines(panels, "share", figures / f"metrics-{file_name(direction)}.png")
    arrays = kept_arrays(directory, ("pictures",))
    if not arrays:
        _say(f"{directory}: without predictions.npz, no pictures")
        return
    titles = ("natural", "perturbed", "read wrongly", "read rightly")
    images = dict(zip(titles, arrays["pictures"], strict=True))
    plots.picture_rows(images, figures / "pictures.png")


STUDIES = {
    "decorrelated_pairs": (pair_tables, pair_figures),
    "parametric_distance": (distance_tables, distance_figures),
    "surrogate_defence": (surrogate_tables, surrogate_figures),
    "dverge": (epoch_tables, epoch_figures),
    "gradient_alignment": (alignment_tables, alignment_figures),
    "gradient_magnitude": (magnitude_tables, magnitude_figures),
    "disagreement_detection": (detection_tables, detection_figures),
    "dna": (pathway_tables_of, pathway_figures),
    "dna_sharing": (pathway_tables_of, pathway_figures),
}


def finished(directory: Path) -> dict[str, Any]:
    """A finished run's results.

    Raises:
        UserError: if they are damaged, or of no study known here.
    """
    return read(directory, STUDIES)


def is_finished(out: Path, study: str, config: Mapping[str, Any]) -> bool:
    """Whether the folder holds the results of this run.

    Raises:
        UserError: if those it holds are damaged, or another run's.
    """
    return is_of(out, study, config, STUDIES)


def draw(directory: Path) -> list[Path]:
    """Draw a run's figures again from its results; the paths written.

    Raises:
        UserError: if the results are damaged, another process writes into the folder, or figures/
            leads out of it.
    """
    content, figures = finished(directory), directory / "figures"
    with owned(directory):
        if figures.is_symlink() or (figures.exists() and not figures.is_dir()):
            what = "link" if figures.is_symlink() else "file"
            raise UserError(f"{figures}: is a {what} where a folder of figures goes; move it away")
        figures.mkdir(exist_ok=True)
        STUDIES[content["experiment"]][1](directory, content["rows"], figures)
    return sorted(figures.glob("*.png"))


def show(directory: Path) -> None:
    """Print a run's tables and draw its figures; the first of several processes does."""
    if not leads():
        return
    content = finished(directory)
    for table in STUDIES[content["experiment"]][0](content["rows"]):
        if table.lines:
            tables.show(table)
    for path in [directory / "results.json", *draw(directory)]:
        print(printable(path))
