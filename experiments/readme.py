"""Write `results/README.md`, the tables of every run there: `python -m experiments.readme`."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from experiments import (
    cli,
    decorrelated_pairs,
    disagreement_detection,
    dna,
    dna_sharing,
    dverge,
    gradient_alignment,
    gradient_magnitude,
    parametric_distance,
    report,
    surrogate_defence,
    tables,
)
from jaxadv.errors import UserError, printable
from jaxadv.evaluation import ALL
from jaxadv.files import write_atomically
from jaxadv.folder import owned
from jaxadv.results import Row

Run: TypeAlias = dict[str, Any]

RESULTS = Path(__file__).parent.parent / "results"
README = RESULTS / "README.md"
TITLE = """# Results

Written by `python -m experiments.readme` from the runs beside; what they say is in
[the README](../README.md#what-the-runs-say). Of the radii one is shown;
`python -m experiments.merge results/NAME --out DIR` prints them all."""
STUDIES = (
    decorrelated_pairs,
    parametric_distance,
    dna,
    dna_sharing,
    dverge,
    gradient_alignment,
    gradient_magnitude,
    surrogate_defence,
    disagreement_detection,
)
PRESETS = {study.STUDY: study.PRESETS for study in STUDIES}
# l∞ radius that a page has room for; of a run without it the largest
SHOWN_EPS = {
    decorrelated_pairs.STUDY: 0.1,
    parametric_distance.STUDY: 0.1,
    dna.STUDY: 0.05,
    dna_sharing.STUDY: 0.05,
    dverge.STUDY: 0.1,
    surrogate_defence.STUDY: 0.1,
    gradient_alignment.STUDY: 0.25,
    gradient_magnitude.STUDY: 0.3,
    disagreement_detection.STUDY: 0.1,
}


def _shown(experiment: str, rows: Sequence[Row]) -> list[Row]:
    """What a page has room for: networks, and attacks in the l∞ ball at one radius.

    Where a study's subject is another than the radius, all of it: rows with a distance. Attacks
    without a radius are shown.
    """
    radii = {row["eps"] for row in rows if row.get("ball") == "linf"}
    usual = SHOWN_EPS[experiment]
    shown = usual if usual in radii else max(radii, default=usual)
    return [
        row
        for row in rows
        if "attack" not in row
        or "eps" not in row
        or (row["ball"], row["eps"]) == ("linf", shown)
        or ("distance" in row and row["source"] != ALL)
    ]


def together(runs: Mapping[str, Run]) -> list[Row]:
    """The rows of several runs of a study on one dataset, by folder, to stand in one table.

    Where an earlier run has the same pairs of the same model, what tells the folders apart is added
    to their name: "robust" of mnist-fc-robust, after mnist-fc.
    """
    rows, taken = list[Row](), dict[tuple[str, str], str]()
    for name, run in runs.items():
        pairs = {(r["model"], r["defence"]) for r in run["rows"]}
        apart = {pair: f", {_apart(name, taken[pair])}" for pair in pairs if pair in taken}
        for r in run["rows"]:
            suffix = apart.get((r["model"], r["defence"]), "")
            rows.append({**r, "defence": r["defence"] + suffix, "run": name})
        taken |= dict.fromkeys(pairs - taken.keys(), name)
    return rows


def _apart(name: str, other: str) -> str:
    """The words of a folder's name from the first one on that another's has not."""
    words, others = name.split("-"), other.split("-")
    same = [a == b for a, b in zip(words, others, strict=False)]
    first = same.index(False) if False in same else min(len(words), len(others))
    return "-".join(words[first:]) or name


def command(run: Run) -> str:
    """The commands that make this run's results again: its preset, and what differs from it.

    One for each stretch of seeds, to be merged.
    """
    config, study = run["config"], run["experiment"]
    if config.get("preset") not in [*PRESETS[study]]:
        raise UserError(
            f"results of {study}: preset {config.get('preset')!r} in config is none of "
            f"{', '.join(PRESETS[study])}; run them again"
        )
    preset = json.loads(json.dumps(PRESETS[study][config["preset"]].config()))
    unsaid = sorted(preset.keys() - config.keys())
    if unsaid:  # a run older than a setting; the preset may say another thing today
        raise UserError(f"results of {study}, {config['preset']}: no {', '.join(unsaid)} in config")
    words = [f"python -m experiments.{study} --preset {config['preset']}"]
    for key, usual in preset.items():
        chosen = config[key]
        if key == "seeds" or chosen == usual:
            continue
        option = key.replace("_", "-")
        if isinstance(chosen, bool):
            words.append(f"--{option}" if chosen else f"--no-{option}")
        else:
            values = chosen if isinstance(chosen, list) else [chosen]
            words.append(shlex.join([f"--{option}", *map(str, values)]))
    commands = []
    for stretch in _stretches(config["seeds"]):
        first = [f"--first-seed {stretch[0]}"] if stretch[0] != preset["seeds"][0] else []
        count = [f"--seeds {len(stretch)}"] if len(stretch) != len(preset["seeds"]) else []
        commands.append(" ".join([*words, *first, *count]))
    return "`, `".join(commands)


def _stretches(seeds: Sequence[int]) -> list[list[int]]:
    """The seeds in runs of consecutive ones."""
    stretches: list[list[int]] = []
    for seed in sorted(seeds):
        if stretches and seed == stretches[-1][-1] + 1:
            stretches[-1].append(seed)
        else:
            stretches.append([seed])
    return stretches


def provenance(name: str, run: Run) -> str:
    """One line: where these results lie, what made them, on how many seeds."""
    merged = ", measured in parts" if isinstance(run.get("environment"), list) else ""
    count, folder = len(run["config"]["seeds"]), f"`results/{printable(name)}/`"
    return f"- {folder}: `{command(run)}`, {count} seed{'' if count == 1 else 's'}{merged}"


def by_study(directory: Path = RESULTS) -> dict[tuple[str, str], dict[str, Run]]:
    """The runs by folder, for each study and title of a dataset."""
    groups: dict[tuple[str, str], dict[str, Run]] = {}
    for path in sorted(directory.glob("*/results.json")):
        run = report.finished(path.parent)
        if not isinstance(title := run["config"].get("data_title"), str):
            raise UserError(f"{path}: data_title in config is {title!r}, no text; run it again")
        key = run["experiment"], printable(title)
        groups.setdefault(key, {})[path.parent.name] = run
    return groups


def page(directory: Path = RESULTS) -> str:
    """For each study and dataset, provenance and tables."""
    parts = []
    for (experiment, title), runs in by_study(directory).items():
        rows = together(runs)
        parts += [f"## {title}: `{experiment}`"]
        parts += ["\n".join(provenance(name, run) for name, run in runs.items())]
        study_tables, _ = report.STUDIES[experiment]
        filled = [table for table in study_tables(_shown(experiment, rows)) if table.lines]
        parts += [f"{table.title}:\n\n{tables.markdown(table)}" for table in filled]
    return "\n\n".join([TITLE, *parts]) + "\n"


@dataclass(frozen=True)
class Arguments:
    """Write results/README.md from the results in the repository."""

    check: bool = False
    """Write nothing; end with status 2 if the page does not say what the results do."""


def main() -> None:
    """Entry point of the script."""

    def write() -> None:
        arguments = cli.read_arguments(Arguments, "readme", description=__doc__)
        new = page()
        if arguments.check and new != README.read_text():
            raise UserError(
                "results/README.md: differs from the results; run python -m experiments.readme"
            )
        if not arguments.check:
            with owned(README.parent):
                write_atomically(README, new.encode())

    cli.run(write, resumable=False)


if __name__ == "__main__":
    main()
