"""The README says what the results in the repository say."""

from experiments import readme


def test_the_tables_follow_from_the_results():
    found = readme.SECTION.search(readme.README.read_text())
    assert found is not None
    assert found.group(0) == readme.section()
