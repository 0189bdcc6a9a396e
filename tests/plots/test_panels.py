"""Bars, lines and dots: each is drawn where its number is, whatever the rows lack."""

import matplotlib as mpl
import numpy as np
import pytest
from scipy import stats

from jaxadv import plots
from jaxadv.evaluation import ALL
from jaxadv.plots import colours as palette
from tests.plots.made import EPS, RATE, assert_png, few, row, study, under_attack, with_distance


def test_bars_and_error_bars_stand_at_the_means_and_intervals(tmp_path, drawn) -> None:
    plots.transfer_bars(study(), tmp_path / "bars.png")
    assert_png(tmp_path / "bars.png")
    (figure,) = drawn
    assert len(figure.axes) == 2 * 4  # models × (attack, ball)
    half = stats.t.ppf(0.975, 2) * 0.2 / np.sqrt(3)
    for ax, radius in zip(figure.axes, [1, 2] * 4, strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        np.testing.assert_allclose(heights, [0.4 + e * radius for e in EPS] * 3)
        whiskers = [line.get_segments()[0] for line in ax.collections]
        np.testing.assert_allclose([w[1, 1] - w[0, 1] for w in whiskers], 2 * half)
        assert ax.get_ylim() == (0, 1)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "plain (n = 3 seeds)"
    assert len({bar.get_facecolor() for bar in figure.axes[0].patches}) == 3


def test_rates_of_nothing_are_written_not_drawn_as_zero(tmp_path, drawn) -> None:
    rows = [under_attack("transfer_rate", v, 0, eps=e) for v, e in ((None, 0.05), (0.3, 0.1))]
    rows += [under_attack("transfer_rate", 1.0, 0, source="all")]  # transfers by definition
    plots.transfer_bars(rows, tmp_path / "bars.png")
    (ax,) = drawn[0].axes
    assert [bar.get_height() for bar in ax.patches] == [0.3]
    assert [text.get_text() for text in ax.texts] == ["0/0"]


def test_variants_stand_below_one_another_with_the_first_one_s_mean(tmp_path, drawn) -> None:
    rows = [
        under_attack(
            "transfer_rate", value + 0.1 * seed, seed, variant=name, eps=eps, source=source
        )
        for eps in (0.1, 2 / 255)
        for name, value in (("plain", 0.5), ("gal", 0.1))
        for seed in range(3)
        for source in ("1", ALL)
    ]
    rows += [under_attack("transfer_rate", None, 0, variant="adp", eps=0.1, n=0)]
    plots.metric_dots(rows, "transfer_rate", tmp_path / "dots.png")
    assert_png(tmp_path / "dots.png")
    (figure,) = drawn
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["ε = 0.1", "ε = 2/255"]
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["plain", "GAL", "ADP"]
    for ax in figure.axes:
        dashed, *dots = sorted(ax.lines, key=lambda line: line.get_linestyle() != "--")
        assert dashed.get_xdata() == pytest.approx([0.6, 0.6])
        found = [
            (*line.get_xdata(), *line.get_ydata()) for line in dots if line.get_marker() == "o"
        ]
        assert found == [pytest.approx((0.6, 0)), pytest.approx((0.2, 1))]
    assert [t.get_text() for t in figure.axes[0].texts] == ["0/0"]


def test_a_single_seed_is_drawn_without_an_interval(tmp_path, drawn) -> None:
    plots.transfer_bars(few(), tmp_path / "bars.png")
    plots.metric_lines(few(), RATE, tmp_path / "lines.png")
    bars, lines = drawn
    assert all(not ax.collections for ax in bars.axes)
    bands = [band.get_paths() for ax in lines.axes for band in ax.collections]
    assert not any(path.vertices.size for paths in bands for path in paths)
    assert all(figure.legends[0].get_title().get_text() == "" for figure in drawn)


def test_lines_tell_joint_sources_from_single_ones(tmp_path, drawn) -> None:
    rows = [
        under_attack("success_rate", value, seed, eps=eps, source=source)
        for seed in range(2)
        for eps in EPS
        for source, value in (("1", 0.5), ("2", 0.7), ("all", 0.4))
    ]
    rows.append(row("success_rate", 0.1, 0))  # on natural images: has no radius, is not drawn
    plots.metric_lines(rows, "success_rate", tmp_path / "lines.png", label="fooled")
    assert_png(tmp_path / "lines.png")
    (ax,) = drawn[0].axes
    single, joint = ax.lines
    np.testing.assert_allclose(single.get_ydata(), 0.6)
    np.testing.assert_allclose(joint.get_ydata(), 0.4)
    np.testing.assert_allclose(joint.get_xdata(), EPS)
    assert (single.get_linestyle(), joint.get_linestyle()) == ("-", "--")
    assert ax.get_ylabel() == "fooled"


def test_lines_against_any_key_in_panels_and_colours_of_any(tmp_path, drawn) -> None:
    rows = [
        under_attack(RATE, at / 10 + eps, 0, epoch=at, eps=eps, source=source, target=target)
        for at in (0, 1, 2)
        for eps in EPS
        for source, target in ("12", "21")
    ]
    ways = {"x": "epoch", "down": "ball", "panels": ("attack", "eps"), "across_label": "epochs"}
    plots.metric_lines(rows, RATE, tmp_path / "a.png", colour=("source", "target"), **ways)
    figure, axes = drawn[0], drawn[0].axes
    assert [ax.get_title(loc="left") for ax in axes] == ["ε = 0.05", "ε = 0.1"]
    assert figure.legends[0].get_title().get_text().endswith("FGSM")  # common to both
    assert [t.get_text() for t in figure.legends[0].get_texts()][:2] == [
        "1 → 2 (n = 1 seed)",
        "2 → 1 (n = 1 seed)",
    ]
    for ax, eps in zip(axes, EPS, strict=True):
        assert ax.get_xlabel() == "epochs"
        for line in ax.lines:
            np.testing.assert_allclose(line.get_xdata(), [0, 1, 2])
            np.testing.assert_allclose(line.get_ydata(), [eps, eps + 0.1, eps + 0.2])


def test_many_variants_are_spread_over_panels(tmp_path, drawn) -> None:
    names = [f"way {number}" for number in range(10)]
    rows = [under_attack("m", 0.1, seed, variant=name) for name in names for seed in (0, 1)]
    plots.metric_lines(rows, "m", tmp_path / "a.png")
    assert [len(ax.lines) for ax in drawn[0].axes] == [6, 5]  # the first way in both
    assert len(drawn[0].legends[0].get_texts()) == 10


def test_two_seeds_have_no_band(tmp_path, drawn) -> None:
    for seeds, bands in ((2, 0), (3, 1)):
        rows = [under_attack("m", 0.1 * s, s, eps=eps) for s in range(seeds) for eps in EPS]
        plots.metric_lines(rows, "m", tmp_path / f"{seeds}.png")
        figure = drawn[-1]
        drawn_band = np.isfinite(
            figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).get_points()
        ).all()
        assert bool(drawn_band) == bool(bands)
        assert ("interval" in figure.legends[0].get_title().get_text()) == bool(bands)


def test_sources_that_are_not_told_apart_are_one_line(tmp_path, drawn) -> None:
    rows = [under_attack("m", value, 0, source=s) for s, value in (("1", 0.2), ("all", 0.6))]
    plots.metric_lines(rows, "m", tmp_path / "a.png", separate=False)
    (line,) = drawn[0].axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [0.4])


def test_distance_panels_show_slopes_and_natural_inputs(tmp_path, drawn) -> None:
    rows = with_distance()
    rows = [r | {"value": r["distance"] / 1e4} if "attack" in r else r for r in rows]
    plots.distance_panels(rows, tmp_path / "distance.png")
    assert_png(tmp_path / "distance.png")
    left, right = drawn[0].axes
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    assert texts[0] == "ε = 0.05: +0.100 ± 0.000"  # 1e-4 a unit, 0.1 a thousand
    natural = right.lines[0]
    np.testing.assert_allclose(natural.get_ydata(), 0.9)
    assert natural.get_color() == palette.GREY
    assert len(right.lines) == 1 + len(EPS)


@pytest.mark.parametrize("drop", ["variant", "attack", "everything", "values", "keys"])
def test_missing_groups_do_not_crash(tmp_path, drop) -> None:
    rows = [*(r for r in study(2) if r["ball"] == "linf"), *with_distance()]
    if drop == "everything":
        rows = []
    elif drop == "values":
        rows = [r | {"value": None} for r in rows]
    elif drop == "keys":
        rows = [{k: v for k, v in r.items() if k not in ("model", "variant")} for r in rows]
    elif drop == "attack":  # one model lacks the first panel
        rows = [r for r in rows if (r["model"], r.get("attack")) != ("cnn", "fgsm")]
    else:
        rows = [r for r in rows if r.get("variant") == "plain" or r["model"] == "cnn"]
    plots.transfer_bars(rows, tmp_path / "bars.png")
    plots.metric_lines(rows, "transfer_rate", tmp_path / "lines.png", limits=None)
    plots.distance_panels(rows, tmp_path / "distance.png")
    plots.feature_scatter({}, tmp_path / "features.png")
    assert len(list(tmp_path.iterdir())) == 4


def test_the_readers_own_matplotlib_settings_are_left_alone(tmp_path) -> None:
    with mpl.rc_context({"axes.grid": True, "font.size": 33}):
        before = dict(mpl.rcParams)
        plots.transfer_bars(few(), tmp_path / "first.png")
        assert dict(mpl.rcParams) == before
    plots.transfer_bars(few(), tmp_path / "second.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
