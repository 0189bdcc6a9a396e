"""Write the README's result tables from `results/`: `python -m experiments.readme [--check]`."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import tyro

from experiments import cli, decorrelated_pairs, parametric_distance, tables
from experiments.tables import Table
from jaxadv import results
from jaxadv.errors import UserError
from jaxadv.results import Row

Run: TypeAlias = dict[str, Any]

README = Path(__file__).parent.parent / "README.md"
RESULTS = README.parent / "results"
SECTION = re.compile(r"<!-- results -->\n.*?<!-- /results -->", re.S)
SHOWN_EPS = 0.1  # the radius the paper's discussion turns on
PRESETS = {study.STUDY: study.PRESETS for study in (decorrelated_pairs, parametric_distance)}
TABLES: dict[str, Callable[[list[Row]], list[Table]]] = {
    decorrelated_pairs.STUDY: lambda rows: [
        tables.networks(rows),
        tables.transfer(_shown(rows)),
        tables.one_and_all(_shown(rows)),
    ],
    parametric_distance.STUDY: lambda rows: [tables.slopes(rows)],
}


def _shown(rows: Iterable[Row]) -> list[Row]:
    """What a page has room for: networks, and attacks in the l∞ ball at one radius."""
    return [r for r in rows if "attack" not in r or (r["ball"], r["eps"]) == ("linf", SHOWN_EPS)]


def together(runs: Sequence[Run]) -> list[Row]:
    """The rows of several runs of a study on one dataset, to stand in one table.

    Where an earlier run has the same pairs of the same model, the preset is added to their name.
    """
    rows, taken = list[Row](), set[tuple[str, str]]()
    for run in runs:
        names = {(r["model"], r["defence"]) for r in run["rows"]}
        for r in run["rows"]:
            again = (r["model"], r["defence"]) in taken
            suffix = f", {run['config']['preset']}" if again else ""
            rows.append({**r, "defence": r["defence"] + suffix})
        taken |= names
    return rows


def command(run: Run) -> str:
    """The command that makes this run's results again: its preset, and what differs from it."""
    config, study = run["config"], run["experiment"]
    preset = json.loads(json.dumps(PRESETS[study][config["preset"]].config()))
    words = [f"python -m experiments.{study} --preset {config['preset']}"]
    for key, usual in preset.items():
        chosen = config.get(key, usual)
        if key != "seeds" and chosen != usual:
            values = chosen if isinstance(chosen, list) else [chosen]
            words.append(" ".join([f"--{key.replace('_', '-')}", *map(str, values)]))
    seeds = config["seeds"]
    words += [f"--first-seed {seeds[0]}"] if seeds[0] else []
    words += [f"--seeds {len(seeds)}"] if len(seeds) != len(preset["seeds"]) else []
    return " ".join(words)


def provenance(name: str, run: Run) -> str:
    """One line: where these results lie, what made them, on how many seeds."""
    merged = ", made in parts and merged" if isinstance(run["environment"], list) else ""
    return f"- `results/{name}/`: `{command(run)}`, {len(run['config']['seeds'])} seeds{merged}"


def section(directory: Path = RESULTS) -> str:
    """The README's results: for each study and dataset, provenance and tables."""
    groups: dict[tuple[str, str], dict[str, Run]] = {}
    for path in sorted(directory.glob("*/results.json")):
        run = results.read(path.parent)
        key = run["experiment"], run["config"]["data_title"]
        groups.setdefault(key, {})[path.parent.name] = run
    parts = []
    for (experiment, title), runs in groups.items():
        rows = together(list(runs.values()))
        parts += [f"### {title}: `{experiment}`"]
        parts += ["\n".join(provenance(name, run) for name, run in runs.items())]
        parts += [f"{t.title}:\n\n{tables.markdown(t)}" for t in TABLES[experiment](rows)]
    return "\n\n".join(["<!-- results -->", "## Results", *parts, "<!-- /results -->"])


@dataclass(frozen=True)
class Arguments:
    """Write the README's result tables from the results in the repository."""

    check: bool = False
    """Write nothing; end with status 2 if the README does not say what the results do."""


def main() -> None:
    """Entry point of the script."""
    arguments = tyro.cli(Arguments, prog="python -m experiments.readme", description=__doc__)

    def write() -> None:
        text = README.read_text()
        new = SECTION.sub(lambda _: section(), text)
        if arguments.check and new != text:
            raise UserError(
                "README.md: tables differ from results/; run python -m experiments.readme"
            )
        if not arguments.check:
            results.write_atomically(README, new.encode())

    cli.run(write)


if __name__ == "__main__":
    main()
