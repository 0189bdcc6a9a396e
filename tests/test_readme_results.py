"""The page of results says what the results in the repository say, the findings no more."""

import json
import re
from pathlib import Path

import pytest

from experiments import gradient_alignment
from experiments.frame import page
from experiments.frame.finished import Finished
from experiments.frame.study import find
from experiments.frame.tables.table import markdown
from jaxadv.errors import UserError

FINDINGS = page.README.parents[1] / "docs/findings"
OTHER = ("sure_networks.md",)  # of networks made by a test


def test_the_tables_are_those_of_the_results_here():
    assert page.README.read_text() == page.page()


@pytest.mark.slow
def test_the_findings_quote_no_interval_that_no_table_has():
    """Of any radius; a table may have more digits."""

    def intervals(text: str) -> set[tuple[str, str]]:
        found = re.findall(r"(\d\.\d{3,}) ± (\d\.\d{3,})", text)
        return {(f"{float(mean):.3f}", f"{float(half):.3f}") for mean, half in found}

    there = set()
    for (experiment, _), runs in page.by_study().items():
        for rows in (page.together(runs), *(run.rows for run in runs.values())):
            for make in find(experiment).tables:
                there |= intervals(markdown(make(rows)))
    pages = [path for path in FINDINGS.glob("*.md") if path.name not in OTHER]
    said = set().union(*(intervals(path.read_text()) for path in pages))
    assert len(said) > 100
    assert said <= there


def test_every_study_has_a_page_of_findings_that_opens_in_plain_words():
    for name in {experiment for experiment, _ in page.by_study()}:
        _, opening, *_ = (FINDINGS / f"{name}.md").read_text().split("\n\n")
        assert len(opening.splitlines()) == 2
        assert not re.search(r"\d", opening)


def test_a_run_that_does_not_say_a_setting_has_no_command():
    """The preset may have said another thing when it ran."""
    study = gradient_alignment.STUDY
    config = json.loads(json.dumps(study.presets["quick"].but(preset="quick").config()))
    run = Finished(Path(), study.name, config, {}, [])
    assert page.command(study, run) == "python -m experiments.gradient_alignment --preset quick"
    del config["training"]["square_strength"]
    with pytest.raises(UserError, match="no square_strength in config"):
        page.command(study, run)
