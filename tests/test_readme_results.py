"""The page of results says what the results in the repository say."""

import json
import re

import pytest

from experiments import gradient_alignment, readme, report, tables
from jaxadv.errors import UserError


def test_the_tables_are_those_of_the_results_here():
    assert readme.README.read_text() == readme.page()


@pytest.mark.slow
def test_the_readme_quotes_no_interval_that_no_table_has():
    """Of any radius; a table may have more digits."""

    def intervals(text: str) -> set[tuple[str, str]]:
        found = re.findall(r"(\d\.\d{3,}) ± (\d\.\d{3,})", text)
        return {(f"{float(mean):.3f}", f"{float(half):.3f}") for mean, half in found}

    there = set()
    for (experiment, _), runs in readme.by_study().items():
        study_tables, _ = report.STUDIES[experiment]
        for rows in (readme.together(runs), *(run["rows"] for run in runs.values())):
            for table in study_tables(rows):
                there |= intervals(tables.markdown(table))
    text = readme.README.parents[1].joinpath("README.md").read_text()
    said = intervals(text.split("## What the runs say")[1])
    assert len(said) > 100
    assert said <= there


def test_a_run_that_does_not_say_a_setting_has_no_command():
    """The preset may have said another thing when it ran."""
    config = json.loads(json.dumps(gradient_alignment.PRESETS["quick"].config()))
    run = {"experiment": gradient_alignment.STUDY, "config": config}
    assert readme.command(run) == "python -m experiments.gradient_alignment --preset quick"
    del config["square_strength"]
    with pytest.raises(UserError, match="no square_strength in config"):
        readme.command(run)
