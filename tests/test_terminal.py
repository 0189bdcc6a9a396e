"""What a run says at its end: tables that fit the terminal, and one line of answer."""

import pytest

from experiments import surrogate_defence
from experiments.frame import answers
from experiments.frame.tables import terminal
from experiments.frame.tables.table import Table

HEADER = ["model", "ball", "eps", "variant", "images", "transfer", "clean-correct"]
LINES = [
    ["fc", "linf", eps, variant, "1,000", f"0.{n}00 ± 0.010", f"0.{n}50 ± 0.010"]
    for n, (eps, variant) in enumerate(
        [("0.1", "plain"), ("0.1", "decorrelated"), ("0.2", "plain")]
    )
]
TABLE = Table("A title", HEADER, LINES, ("model", "eps", "variant", "transfer"))


@pytest.mark.parametrize("limit", [100, 56, 50, 40])
def test_a_table_fits_and_says_what_it_leaves_out(limit, capsys):
    shown, said = terminal.fitted(TABLE, limit)
    assert said.startswith("model fc, ball linf, images 1,000")  # the same in all lines
    dropped = 7 - 3 - len(shown.header)
    assert shown.header[:2] == ["eps", "variant"]
    assert ("more columns in tables.md or with --wide" in said) == (dropped > 0)
    assert f"{dropped} more" in said or not dropped
    terminal.show(TABLE, limit)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= limit


def test_what_matters_stays_longest():
    assert terminal.fitted(TABLE, 50)[0].header == ["eps", "variant", "transfer"]
    assert terminal.fitted(TABLE, 100)[0].header == ["eps", "variant", "transfer", "clean-correct"]


def test_of_one_line_all_is_shown():
    one = TABLE._replace(lines=LINES[:1])
    assert terminal.fitted(one, 200) == (one, "")


def test_a_wide_table_is_whole(capsys):
    terminal.show(TABLE, None)
    first = capsys.readouterr().out.splitlines()[2]
    assert first.split() == HEADER


def rate(variant, value, seed, source="1", eps=0.1, attack="pgd"):
    of = {"model": "fc", "variant": variant, "attack": attack, "ball": "linf", "eps": eps}
    return {"metric": "transfer_rate", "value": value, "n": 9, "seed": seed, **of, "source": source}


ROWS = [
    *(rate("plain", 0.5, seed, attack="fgsm") for seed in range(3)),
    *(rate("plain", value, seed) for seed, value in enumerate((0.5, 0.6, 0.7))),
    *(rate("decorrelated", value, seed) for seed, value in enumerate((0.2, 0.3, 0.4))),
    *(rate("decorrelated", 0.9, seed, source="2") for seed in range(3)),
    rate("plain", 0.9, 0, eps=0.2),
]


def test_the_answer_by_hand():
    said = answers.transfer([row for row in ROWS if row["source"] == "1"], 0.1)
    assert said.endswith("(pgd, l∞, eps 0.1): fc: plain 0.600 ± 0.248, decorrelated 0.300 ± 0.248")
    assert "(pgd, l∞, eps 0.2)" in answers.transfer(ROWS, 0.05)  # of a run without it the largest
    assert answers.survival(ROWS, 0.1) == ""


def test_a_new_network_is_not_attacked_itself():
    assert surrogate_defence.answer(ROWS, 0.1).endswith("decorrelated 0.300 ± 0.248")
