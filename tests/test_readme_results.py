"""The page of results says what the results in the repository say."""

from experiments import readme


def test_the_tables_are_those_of_the_results_here():
    assert readme.README.read_text() == readme.page()
