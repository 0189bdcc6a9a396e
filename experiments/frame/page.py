"""Write `results/README.md`, the tables of every run there: `python -m experiments page`."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.frame.finished import Finished, read
from experiments.frame.settings import Settings, options
from experiments.frame.study import Study, find
from experiments.frame.tables import table
from jaxadv.errors import UserError, printable
from jaxadv.evaluation import ALL
from jaxadv.files import write_atomically
from jaxadv.folder import owned
from jaxadv.results import Row

RESULTS = Path(__file__).parent.parent.parent / "results"
README = RESULTS / "README.md"
TITLE = """# Results

Written by `python -m experiments page` from the runs beside; what they say is in
[the README](../README.md#what-the-runs-say). Of the radii one is shown;
`python -m experiments merge results/NAME --out DIR` prints them all."""


def _shown(study: Study[Any], rows: Sequence[Row]) -> list[Row]:
    """What a page has room for: networks, and attacks in the l∞ ball at one radius.

    Where a study's subject is another than the radius, all of it: rows with a distance. Attacks
    without a radius are shown.
    """
    radii = {row["eps"] for row in rows if row.get("ball") == "linf"}
    # Of a run without the usual radius the largest.
    shown = study.shown_eps if study.shown_eps in radii else max(radii, default=0)
    return [
        row
        for row in rows
        if "attack" not in row
        or "eps" not in row
        or (row["ball"], row["eps"]) == ("linf", shown)
        or ("distance" in row and row["source"] != ALL)
    ]


def together(runs: Mapping[str, Finished]) -> list[Row]:
    """The rows of several runs of a study on one dataset, by folder, to stand in one table.

    Where an earlier run has the same variant of the same model, what tells the folders apart is
    added to its name: "robust" of mnist-fc-robust, after mnist-fc.
    """
    rows, taken = list[Row](), dict[tuple[str, str], str]()
    for name, run in runs.items():
        variants = {(r["model"], r["variant"]) for r in run.rows}
        apart = {pair: f", {_apart(name, taken[pair])}" for pair in variants if pair in taken}
        for r in run.rows:
            suffix = apart.get((r["model"], r["variant"]), "")
            rows.append({**r, "variant": r["variant"] + suffix, "run": name})
        taken |= dict.fromkeys(variants - taken.keys(), name)
    return rows


def _apart(name: str, other: str) -> str:
    """The words of a folder's name from the first one on that another's has not."""
    words, others = name.split("-"), other.split("-")
    same = [a == b for a, b in zip(words, others, strict=False)]
    first = same.index(False) if False in same else min(len(words), len(others))
    return "-".join(words[first:]) or name


def command(study: Study[Any], run: Finished) -> str:
    """The commands that make this run's results again: its preset, and what differs from it.

    One for each stretch of seeds, to be merged.
    """
    config, known = run.config, study.presets
    if config.get("preset") not in [*known]:
        raise UserError(
            f"results of {study.name}: preset {config.get('preset')!r} in config is none of "
            f"{', '.join(known)}; run them again"
        )
    preset: Settings = known[config["preset"]].but(preset=config["preset"])
    words = [f"python -m experiments.{study.name} --preset {config['preset']}"]
    words += _beyond(preset, config, f"results of {study.name}, {config['preset']}")
    commands = []
    for stretch in _stretches(config["seeds"]):
        first = [f"--first-seed {stretch[0]}"] if stretch[0] != preset.first_seed else []
        count = [f"--seeds {len(stretch)}"] if len(stretch) != preset.seeds else []
        commands.append(" ".join([*words, *first, *count]))
    return "`, `".join(commands)


def _beyond(preset: Settings, config: Mapping[str, Any], what: str) -> list[str]:
    """The options that differ from the preset's, as they are typed."""
    usual, words = json.loads(json.dumps(preset.config())), []
    for each in options(preset):
        there = config.get(each.group, {}) if each.group else config
        mine = usual.get(each.group, {}) if each.group else usual
        if each.name not in mine or each.name in ("seeds", "preset"):
            continue
        if each.name not in there:  # a run older than a setting; the preset may say another today
            raise UserError(f"{what}: no {each.name} in config")
        chosen = there[each.name]
        if chosen == mine[each.name]:
            continue
        if isinstance(chosen, bool):
            words.append(each.typed if chosen else f"--no-{each.typed[2:]}")
        else:
            values = chosen if isinstance(chosen, list) else [chosen]
            words.append(shlex.join([each.typed, *map(str, values)]))
    return words


def _stretches(seeds: Sequence[int]) -> list[list[int]]:
    """The seeds in runs of consecutive ones."""
    stretches: list[list[int]] = []
    for seed in sorted(seeds):
        if stretches and seed == stretches[-1][-1] + 1:
            stretches[-1].append(seed)
        else:
            stretches.append([seed])
    return stretches


def provenance(name: str, study: Study[Any], run: Finished) -> str:
    """One line: where these results lie, what made them, on how many seeds."""
    merged = ", measured in parts" if isinstance(run.environment, list) else ""
    count, folder = len(run.config["seeds"]), f"`results/{printable(name)}/`"
    seeds = f"{count} seed{'' if count == 1 else 's'}"
    return f"- {folder}: `{command(study, run)}`, {seeds}{merged}"


def by_study(directory: Path = RESULTS) -> dict[tuple[str, str], dict[str, Finished]]:
    """The runs by folder, for each study and title of a dataset."""
    groups: dict[tuple[str, str], dict[str, Finished]] = {}
    for path in sorted(directory.glob("*/results.json")):
        _, run = read(path.parent, find)
        if not isinstance(title := run.config.get("data_title"), str):
            raise UserError(f"{path}: data_title in config is {title!r}, no text; run it again")
        groups.setdefault((run.experiment, printable(title)), {})[path.parent.name] = run
    return groups


def page(directory: Path = RESULTS) -> str:
    """For each study and dataset, provenance and tables."""
    parts = []
    for (experiment, title), runs in by_study(directory).items():
        study, rows = find(experiment), together(runs)
        parts += [f"## {title}: `{experiment}`"]
        parts += ["\n".join(provenance(name, study, run) for name, run in runs.items())]
        made = [make(_shown(study, rows)) for make in study.tables]
        parts += [f"{each.title}:\n\n{table.markdown(each)}" for each in made if each.lines]
    return "\n\n".join([TITLE, *parts]) + "\n"


@dataclass(frozen=True)
class Page:
    """Write results/README.md from the results in the repository."""

    check: bool = False
    """Write nothing; end with status 2 if the page does not say what the results do."""

    def __call__(self) -> None:
        """Write it, or compare it."""
        new = page()
        if self.check and new != README.read_text():
            raise UserError(
                "results/README.md: differs from the results; run python -m experiments page"
            )
        if not self.check:
            with owned(README.parent):
                write_atomically(README, new.encode())
