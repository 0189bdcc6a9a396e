"""Write the tables of benchmarks/README.md from `results/`: `python -m benchmarks.readme`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxadv import results

HERE = Path(__file__).parent
README = HERE / "README.md"
SECTION = re.compile(r"<!-- results -->\n.*?<!-- /results -->", re.S)
ORDER = ("correlation_loss", "attacks", "matrix", "training", "seeds", "compile")
Run = dict[str, Any]

# Column titles, and how a row's value is written there.
COLUMNS = {
    "case": ("case", str),
    "contestant": ("contestant", str),
    "median_s": ("median ms", lambda v: f"{1e3 * v:.3g}"),
    "spread_s": ("spread ms", lambda v: f"{1e3 * v:.2g}"),
    "ratio_to_eager": ("× eager", lambda v: f"{v:.2f}"),
    "ratio_to_one": ("of that many × one", lambda v: f"{v:.2f}"),
    "peak_share": ("% of matmul", lambda v: f"{100 * v:.0f}"),
    "compile_s": ("compile s", lambda v: f"{v:.1f}"),
    "compile_from_cache_s": ("from the cache s", lambda v: f"{v:.1f}"),
}


def _short(commit: str) -> str:
    """The commit, and whether files differed from it: then it does not tell what ran."""
    number, changes, _ = commit.partition("+changes")
    return f"{number[:7]}{changes}"


def machine(run: Run) -> str:
    """One line: device, versions, commit."""
    made_in = run["environment"]
    versions = ", ".join(f"{name} {made_in['versions'][name]}" for name in ("jax", "torch"))
    return (
        f"{made_in['device']}, {made_in['torch_threads']} threads, {made_in['dtype']}, {versions}, "
        f"{made_in['rounds']} rounds, commit {_short(made_in['commit'])}"
    )


def table(rows: Sequence[Run]) -> str:
    """A markdown table of the columns that have a value."""
    names = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def cells(row: Run) -> list[str]:
        return ["" if row.get(name) is None else COLUMNS[name][1](row[name]) for name in names]

    head = line([COLUMNS[name][0] for name in names])
    return "\n".join([head, line(["---"] * len(names)), *(line(cells(row)) for row in rows)])


def section() -> str:
    """All results in the repository, a part a device and benchmark."""
    parts = []
    for folder in sorted(path for path in (HERE / "results").glob("*") if path.is_dir()):
        for name in ORDER:
            path = folder / f"{name}.json"
            if path.exists():
                run = json.loads(path.read_text())
                parts += [f"### {name}, {folder.name}", machine(run), table(run["rows"])]
    return "\n\n".join(["<!-- results -->", *parts, "<!-- /results -->"])


def main() -> None:
    """Entry point of the script."""
    text = SECTION.sub(lambda _: section(), README.read_text())
    results.write_atomically(README, text.encode())


if __name__ == "__main__":
    main()
