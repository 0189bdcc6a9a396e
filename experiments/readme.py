"""Write the README's result tables from `results/`: `python -m experiments.readme [--check]`."""

import re
from dataclasses import dataclass
from pathlib import Path

import tyro

from experiments import cli, tables
from experiments.tables import Table
from jaxadv import results
from jaxadv.errors import UserError
from jaxadv.results import Row, select

README = Path(__file__).parent.parent / "README.md"
RESULTS = README.parent / "results"
SECTION = re.compile(r"<!-- results -->\n.*?<!-- /results -->", re.S)
SHOWN_EPS = 0.1  # the radius the paper's discussion turns on


def _transfer(rows: list[Row]) -> Table:
    at = [row for row in rows if row.get("eps") == SHOWN_EPS or "attack" not in row]
    return tables.transfer(at)


def section(directory: Path = RESULTS) -> str:
    """The README's results: a heading, a line of provenance and two tables a run."""
    parts = []
    for path in sorted(directory.glob("*/results.json")):
        run = results.read(path.parent)
        config, rows = run["config"], run["rows"]
        if run["experiment"] == "decorrelated_pairs":
            shown = [tables.networks(rows), _transfer(select(rows, ball="linf") + _no_attack(rows))]
        else:
            shown = [tables.slopes(rows)]
        command = f"python -m experiments.{run['experiment']} --preset {config['preset']}"
        title = f"### {config['data_title']}, preset `{config['preset']}`"
        line = f"`{command}`; {len(config['seeds'])} seeds; rows in `results/{path.parent.name}/`."
        parts += [title, line, *(f"{t.title}:\n\n{tables.markdown(t)}" for t in shown)]
    return "\n\n".join(["<!-- results -->", "## Results", *parts, "<!-- /results -->"])


def _no_attack(rows: list[Row]) -> list[Row]:
    return [row for row in rows if "attack" not in row]


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
