"""The page of results says what the results in the repository say."""

import json

import pytest

from experiments import gradient_alignment, readme
from jaxadv.errors import UserError


def test_the_tables_are_those_of_the_results_here():
    assert readme.README.read_text() == readme.page()


def test_a_run_that_does_not_say_a_setting_has_no_command():
    """The preset may have said another thing when it ran."""
    config = json.loads(json.dumps(gradient_alignment.PRESETS["quick"].config()))
    run = {"experiment": gradient_alignment.STUDY, "config": config}
    assert readme.command(run) == "python -m experiments.gradient_alignment --preset quick"
    del config["square_strength"]
    with pytest.raises(UserError, match="no square_strength in config"):
        readme.command(run)
