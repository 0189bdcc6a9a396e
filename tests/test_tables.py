"""Tables from rows written by hand: what is averaged, counted and set side by side."""

from pathlib import Path

import pytest

from experiments.frame import page, pairs
from experiments.frame.finished import Finished
from experiments.frame.study import find
from experiments.frame.tables import distance, gradients, networks, pathways, transfer
from experiments.frame.tables.table import Table, markdown
from jaxadv.schema import plain as jsonable

COMMAND = "python -m experiments.decorrelated_pairs --preset paper"
AT = {"attack": "fgsm", "ball": "linf", "eps": 0.1}


def pair(variant, seed, accuracies, transfers):
    """Rows of one pair: clean accuracy of both members, transfer 1→2 and 2→1."""
    keys = {"model": "fc", "variant": variant, "seed": seed, "n": 10}
    rows = [
        {"metric": "clean_accuracy", "value": value, "target": target, **keys}
        for target, value in zip(("1", "2", "ensemble"), (*accuracies, 0.9), strict=True)
    ]
    for source, target, value in zip("12", "21", transfers, strict=True):
        where = {**keys, **AT, "source": source}
        rows.append({"metric": "transfer_rate", "value": value, "target": target, **where})
        rows.append({"metric": "success_rate", "value": 0.4, **where})
        strict = {"metric": "transfer_rate_clean_correct", "target": target}
        rows.append({"value": value / 2, **strict, **where})
    joint = {**keys, **AT, "source": "all"}
    rows.append({"metric": "success_rate", "value": 0.1, **joint})
    rows.append({"metric": "error_rate", "value": 0.3, "target": "ensemble", **joint})
    return rows


ROWS = [
    *pair("plain", 0, (0.9, 0.9), (0.5, 0.7)),
    *pair("plain", 1, (0.9, 0.9), (0.7, 0.9)),
    *pair("decorrelated", 0, (0.9, 0.9), (0.2, 0.4)),
    *pair("decorrelated", 1, (0.9, 0.1), (0.9, 0.1)),
]


def line(table, variant):
    (found,) = [
        dict(zip(table.header, cells, strict=True)) for cells in table.lines if variant in cells
    ]
    return found


def test_collapsed_seeds_are_counted_and_stay_in_the_mean():
    plain, decorrelated = (line(networks.networks(ROWS), d) for d in ("plain", "decorrelated"))
    assert (plain["seeds"], plain["collapsed"]) == ("2", "0")
    assert (decorrelated["seeds"], decorrelated["collapsed"]) == ("2", "1")
    assert decorrelated["clean accuracy"].startswith("0.700 ±")
    assert (plain["lowest"], decorrelated["lowest"]) == ("0.900", "0.100")
    sound = line(networks.networks(ROWS), "decorrelated, uncollapsed")
    assert (sound["seeds"], sound["collapsed"], sound["clean accuracy"]) == ("1", "0", "0.900")
    assert len(networks.networks(ROWS).lines) == 3  # none collapsed of the plain: no second line


def test_a_value_that_some_seeds_lack_says_of_how_many_it_is():
    measured = {"metric": "r_squared", "model": "fc", "variant": "decorrelated", "n": 10}
    one_way = {"from_features_of": "1", "features_of": "2"}
    rows = [{**measured, **one_way, "seed": s, "value": v} for s, v in ((0, 0.5), (1, None))]
    assert (
        line(networks.networks([*ROWS, *rows]), "decorrelated")["R² 1→2"] == "0.500 (0.500) (n 1)"
    )


def test_transfer_in_both_directions_and_over_uncollapsed_seeds():
    table = transfer.transfer(ROWS)
    plain, decorrelated = line(table, "plain"), line(table, "decorrelated")
    assert [plain[c][:5] for c in ("1→2", "2→1", "transfer")] == ["0.600", "0.800", "0.700"]
    assert plain["− plain"] == ""
    assert (plain["seeds"], decorrelated["seeds"]) == ("2", "2")
    assert decorrelated["transfer"].startswith("0.400 ±")
    sound = line(table, "decorrelated, uncollapsed")
    assert (sound["seeds"], sound["transfer"], sound["− plain"]) == ("1", "0.300", "-0.300")
    assert decorrelated["clean-correct"].startswith("0.200 ±")
    # Differences 0.3 − 0.6 and 0.5 − 0.8: the same in both seeds, so no spread.
    assert decorrelated["− plain"] == "-0.300 ± 0.000"
    # The joint attack's success is not a success on one member.
    assert plain["success"] == "0.400 ± 0.000"


def test_attacks_on_one_member_and_on_all():
    plain = line(transfer.one_and_all(ROWS), "plain")
    shown = {"one": "0.400 ± 0.000", "both": "0.100 ± 0.000", "mean probability": "0.300 ± 0.000"}
    assert {key: plain[key] for key in shown} == shown
    decorrelated = line(transfer.one_and_all(ROWS), "decorrelated")
    assert (plain["− plain"], decorrelated["− plain"]) == ("", "0.000 ± 0.000")


def test_nothing_is_compared_across_different_images():
    fewer = [{**r, "n": 4} if r["variant"] == "decorrelated" else r for r in ROWS]
    for make in (transfer.transfer, transfer.one_and_all):
        plain, decorrelated = (line(make(fewer), d) for d in ("plain", "decorrelated"))
        assert (plain["images"], decorrelated["images"], decorrelated["− plain"]) == ("10", "4", "")


def test_correlation_on_adversarial_images_is_of_single_sources():
    one_way = {"metric": "r_squared", "from_features_of": "1", "features_of": "2", "n": 10}
    keys = {"model": "fc", "variant": "plain", **AT, **one_way}
    rows = [
        {**keys, "seed": seed, "source": source, "value": value}
        for seed in (0, 1)
        for source, value in (("1", 0.2), ("2", 0.4), ("all", 0.9))
    ]
    found = line(transfer.adversarial_features([*ROWS, *rows]), "plain")
    assert (found["R² 1→2"], found["R² 2→1"]) == ("0.300 ± 0.000", "–")


def test_slopes_are_of_one_architecture():
    """Two architectures lie at distances of their own: one line through both would mean nothing."""
    rows = [
        {"metric": "transfer_rate", "model": model, "seed": 0, "eps": 0.1, "source": "1", **point}
        for model, start in (("cnn", 0.2), ("fc", 0.8))
        for point in ({"distance": 1000.0, "value": start}, {"distance": 2000.0, "value": start})
    ]
    table = distance.slopes(rows)
    assert [cells[0] for cells in table.lines] == ["cnn", "fc"]
    assert [line(table, m)["slope per 1000"] for m in ("cnn", "fc")] == ["+0.0000", "+0.0000"]


def finished(config=None, rows=()):
    return Finished(Path(), "decorrelated_pairs", config or {}, {}, list(rows))


def test_runs_of_one_dataset_stand_in_one_table():
    other = pair("decorrelated", 0, (0.9, 0.9), (0, 0))
    folders = {"mnist-fc": ROWS, "mnist-fc-robust": other, "mnist-fc-rough": other}
    runs = {name: finished(rows=rows) for name, rows in folders.items()}
    table = transfer.transfer(page.together(runs))
    assert [cells[4] for cells in table.lines] == [
        "plain",
        "decorrelated",
        "decorrelated, uncollapsed",
        "decorrelated, robust",
        "decorrelated, rough",
    ]
    assert line(table, "decorrelated, robust")["− plain"] == "-0.600"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"seeds": [0, 1]}, " --seeds 2"),
        ({"seeds": [5, 6, 7, 8, 9]}, " --first-seed 5"),
        ({"seeds": [0, 1, 5]}, f" --seeds 2`, `{COMMAND} --first-seed 5 --seeds 1"),
        ({"models": ["fc"], "attacks": {"pgd_examples": 0}}, " --models fc --pgd-examples 0"),
    ],
)
def test_the_command_that_makes_results_again(changes, expected):
    study = find("decorrelated_pairs")
    config = jsonable(study.presets["paper"].but(preset="paper").config(), "config")
    for name, value in changes.items():
        config[name] = config[name] | value if isinstance(value, dict) else value
    run = finished(config | {"data_title": "MNIST"})
    assert page.command(study, run) == COMMAND + expected


def test_pairs_of_several_strengths_are_told_apart():
    names = [pairs.variant_of(s, (0, 0.05, 0.5)) for s in (0, 0.05, 0.5)]
    assert names == ["plain", "decorrelated λ=0.05", "decorrelated λ=0.5"]
    assert pairs.variant_of(0.5, (0.0, 0.0, 0.5, 0.5)) == "decorrelated"


def test_slopes_are_each_seeds_own():
    keys = {"metric": "transfer_rate", "eps": 0.1, "source": "1", "model": "cnn"}
    rows = [
        {**keys, "seed": seed, "distance": distance, "target": target, "value": value + offset}
        for seed, offset in ((0, 0.0), (1, 0.3))
        for distance, value in ((1000.0, 0.5), (2000.0, 0.4))
        for target in ("1", "2")
    ]
    (cells,) = distance.slopes(rows).lines
    found = dict(zip(distance.slopes(rows).header, cells, strict=True))
    # Four pairs; both seeds fall by 0.1 per 1000, however far apart they lie.
    assert found["pairs"] == "4"
    assert found["mean"] == "0.600"
    assert found["slope per 1000"] == "-0.1000 ± 0.0000"
    assert (found["seeds"], found["0 in the interval"]) == ("2", "no")
    assert distance.slopes(rows[:2]).lines == []  # one distance has no slope


def magnitude(seed, length, measured, value):
    """Rows of one pair: the measured length of network 2's gradients, transfer from it."""
    keys = {"model": "fc", "variant": f"0.1 & {length}", "seed": seed, "length": length}
    way = {"source": "2", "target": "1", "metric": "transfer_rate_clean_correct"}
    norm = {"metric": "gradient_norm", "target": "2", "split": "test"}
    return [{**keys, **AT, **way, "value": value}, {**keys, **norm, "value": measured}]


def test_parabola_over_measured_lengths_and_the_line_beside_it():
    lengths = (-2.0, -1.0, 0.0, 1.0, 2.0)  # measured, as in the tests of the fit; 9 was asked for
    values = (1.0, 0.0, 0.0, 0.0, 1.0)
    rows = [
        row
        for seed, at in enumerate(zip(lengths, values, strict=True))
        for row in magnitude(seed, 9.0, *at)
    ]
    nothing = magnitude(5, 9.0, 3.0, None)
    (cells,) = gradients.length_fits([*rows, *nothing]).lines
    assert cells[3:6] == ["2→1", "5", "+0.286"]
    assert cells[7:] == ["-0.171", "0.952", "0.000", "–"]  # one target length has no curve


def test_too_few_pairs_for_a_parabola_are_shown_without_one():
    rows = [*magnitude(0, 1.0, 1.0, 0.5), *magnitude(0, 2.0, 2.0, 0.4)]
    (cells,) = gradients.length_fits(rows).lines
    assert cells[4:] == ["2", *["–"] * 6]


def test_asymmetry_keeps_the_ways_apart():
    rows = pair("plain", 0, (0.9, 0.9), (0.5, 0.7)) + pair("plain", 1, (0.9, 0.9), (0.3, 0.9))
    found = line(gradients.asymmetry(rows), "plain")  # half of these, clean-correct
    assert found["M1→M2"].startswith("0.200 ±")
    assert found["M2→M1"].startswith("0.400 ±")
    assert found["M1→M2 − M2→M1"].startswith("-0.200 ±")
    assert found["M1"] == "–"


def test_accuracies_of_each_member():
    plain = line(networks.accuracies(ROWS), "plain")
    assert (plain["network 1"], plain["mean probability"]) == ("0.900 ± 0.000", "0.900 ± 0.000")
    assert line(networks.accuracies(ROWS), "decorrelated")["network 2"].startswith("0.500 ±")


def test_networks_trained_on_fgsm_images_are_compared_among_themselves():
    at = {**AT, "combine": "min", "metric": "any_correct", "n": 10}
    values = {
        "DNA": (0.5, 0.6),
        "AE": (0.4, 0.4),
        "DNA + FGSM": (0.9, 0.9),
        "AE + FGSM": (0.6, 0.8),
    }
    rows = [
        {**at, "variant": name, "seed": seed, "value": value}
        for name, pair in values.items()
        for seed, value in enumerate(pair)
    ]
    table = pathways.survival(rows)
    found = {name: line(table, name)["− DNA"] for name in values}
    assert found["DNA"] == found["DNA + FGSM"] == ""
    assert found["AE"].startswith("-0.150 ±")
    assert found["AE + FGSM"].startswith("-0.200 ±")


def test_three_members_have_every_way_a_column_of_its_own():
    members, keys = "123", {"model": "fc", "variant": "plain", "seed": 0, "n": 10}
    both = [(one, other) for one in members for other in members if one != other]
    rows = [{"metric": "clean_accuracy", "value": 0.9, "target": m, **keys} for m in members]
    for one, other in both:
        value = float(f"0.{one}{other}")
        score = {"value": value, **keys, "features_of": other, "from_features_of": one}
        attacked = {"value": value, **keys, **AT, "source": one}
        rows += [{"metric": "r_squared", **score}, {"metric": "r_squared", **attacked, **score}]
        rows += [{"metric": "transfer_rate", **attacked, "target": other}]
    expected = {f"{one}→{other}": f"0.{one}{other}0" for one, other in both}
    assert [*expected] == ["1→2", "1→3", "2→1", "2→3", "3→1", "3→2"]
    for make, what in (
        (networks.networks, "R² "),
        (transfer.transfer, ""),
        (transfer.adversarial_features, "R² "),
    ):
        found = line(make(rows), "plain")
        headings = [what + way for way in expected]
        assert [name for name in found if name in headings] == headings, make
        assert [found[name][:5] for name in headings] == [*expected.values()], make
    accuracies = line(networks.accuracies(rows), "plain")
    assert [accuracies[f"network {member}"] for member in members] == ["0.900"] * 3


def test_bars_within_a_cell_do_not_end_it():
    table = Table("", ["|cosine|", "seeds"], [["0.5", "2"]])
    assert markdown(table).splitlines() == [
        r"| \|cosine\| | seeds |",
        "| --- | --- |",
        "| 0.5 | 2 |",
    ]
