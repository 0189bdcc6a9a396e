"""Figures: the numbers behind them by hand, and that each is drawn whatever the rows lack."""

from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jaxadv import plots
from jaxadv.evaluation import ALL
from jaxadv.metrics import Interval
from jaxadv.plots import colours as palette
from jaxadv.plots import features, reduce, style
from jaxadv.plots import labels as named
from jaxadv.results import Row

EPS = (0.05, 0.1)
RATE = "transfer_rate"


def row(metric: str, value: float | None, seed: int, **keys) -> Row:
    """A row of 100 examples; without a value of none."""
    n = 0 if value is None else 100
    return {"metric": metric, "value": value, "n": n, "seed": seed, "model": "cnn", **keys}


def under_attack(metric: str, value: float | None, seed: int, **keys) -> Row:
    attack = {"variant": "plain", "attack": "fgsm", "ball": "linf", "eps": 0.1, "source": "1"}
    return row(metric, value, seed, **{**attack, **keys})


def study(seeds: int = 3, metric: str = "transfer_rate") -> list[Row]:
    """Two models, variants, attacks, balls and radii, both directions; value by seed and radius."""
    return [
        under_attack(
            metric, 0.2 * (seed + 1) + eps * radius, seed, model=model, variant=variant,
            attack=attack, ball=ball, eps=eps * radius, source=source,
        )
        for seed in range(seeds)
        for model in ("cnn", "fc")
        for variant in ("plain", "decorrelated", "a new one")
        for attack in ("fgsm", "mi_fgsm")
        for ball, radius in (("linf", 1), ("l2", 2))
        for eps in EPS
        for source in "12"
    ]  # fmt: skip


def with_distance() -> list[Row]:
    rows = []
    for seed in range(2):
        for target in (1000, 2000, 3000):
            at = {"distance": target + 10.0 * seed}
            rows.append(row("r_squared", 0.9, seed, **at))
            for eps in EPS:
                rows.append(under_attack("transfer_rate", 0.5, seed, eps=eps, **at))
                rows.append(under_attack("r_squared", 0.8, seed, eps=eps, **at))
    return rows


@pytest.fixture
def drawn(monkeypatch):
    """The figures drawn by a test, before they become files."""
    figures, finish = [], style.finish
    monkeypatch.setattr(style, "finish", lambda f, path: (figures.append(f), finish(f, path)))
    return figures


def assert_png(path: Path) -> None:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 400 <= image.width <= 1400
        assert 200 <= image.height <= 1500
    assert 1_000 < path.stat().st_size < 200_000
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing temporary stays


def test_directions_are_averaged_within_a_seed_before_the_interval() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source)
        for seed, values in enumerate([(0.2, 0.4), (0.5, 0.5), (0.6, 0.8)])
        for source, value in zip("12", values, strict=True)
    ]
    (point,) = reduce.against(rows)
    assert point.x == 0.1
    assert point.value.mean == pytest.approx(0.5)  # of 0.3, 0.5 and 0.7
    assert point.value.half == pytest.approx(stats.t.ppf(0.975, 2) * 0.2 / np.sqrt(3))
    assert point.value.n == 3


def test_a_seed_without_a_value_is_left_out_and_none_at_all_is_none() -> None:
    rows = [
        under_attack("transfer_rate", None, 0),
        under_attack("transfer_rate", 0.4, 1),
        under_attack("transfer_rate", None, 0, eps=0.05),
    ]
    nothing, one = reduce.against(rows)
    assert nothing == (0.05, None, 0)
    assert (one.value.mean, one.value.half, one.value.n) == (0.4, None, 1)


def test_distances_give_one_point_a_pair() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source, distance=at)
        for seed, at, source, value in [
            (0, 2000.0, "1", 0.2),
            (0, 2000.0, "2", 0.4),
            (0, 1000.0, "1", 0.6),
            (1, 1010.0, "1", None),
            (1, 1010.0, "2", 0.8),
            (1, 1990.0, "1", None),
        ]
    ]
    clouds = reduce.against_distance([*rows, under_attack("transfer_rate", 0.9, 0)])
    assert {seed: cloud.distance for seed, cloud in clouds.items()} == {
        0: [1000.0, 2000.0],
        1: [1010.0],
    }
    np.testing.assert_allclose(clouds[0].value, [0.6, 0.3])
    np.testing.assert_allclose(clouds[1].value, [0.8])


def test_distinct_keeps_the_order_of_appearance() -> None:
    rows = [{"a": 2}, {"a": 1, "b": 3}, {"a": 2}, {"c": 0}]
    assert reduce.distinct(rows, "a") == [2, 1]
    assert reduce.distinct(rows, "a", "b") == [(2, None), (1, 3)]


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


def diverged(rows: list[Row], *seeds: int) -> list[Row]:
    """The rows, those of some seeds of networks that diverged."""
    return [r | {"value": None, "n": 100} if r["seed"] in seeds else r for r in rows]


def test_a_seed_of_which_one_direction_is_unknown_has_no_mean() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source)
        for seed, source, value in [(0, "1", 0.2), (0, "2", 0.4), (1, "1", 0.9), (1, "2", None)]
    ]
    rows[-1]["n"] = 100
    assert reduce.against(rows) == [(0.1, (pytest.approx(0.3), None, pytest.approx(0.3), 1), 1)]
    rows[-1]["n"] = 0  # 0/0: the other direction's is the seed's mean
    assert reduce.against(rows)[0].value.n == 2


@pytest.mark.parametrize(
    "draw", [plots.transfer_bars, partial(plots.metric_lines, metric=RATE)], ids=["bars", "lines"]
)
def test_networks_that_diverged_are_marked_and_never_zero(tmp_path, drawn, draw) -> None:
    some = diverged([r for r in study() if r["variant"] == "plain"], 1)
    every = diverged([r for r in study() if r["variant"] == "decorrelated"], 0, 1, 2)
    draw([*some, *every], path=tmp_path / "figure.png")
    assert_png(tmp_path / "figure.png")
    (figure,) = drawn
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["plain (n = 2 seeds, 1 diverged)", "decorrelated (3 diverged)"]
    for ax in figure.axes:
        assert [text.get_text() for text in ax.texts] == ["diverged"] * len(EPS)
        heights = [bar.get_height() for bar in ax.patches]
        lines = [line for line in ax.lines if line.get_marker() == "o"]
        heights += [y for line in lines for y in line.get_ydata()]
        assert len(heights) == len(EPS)
        assert min(heights) > 0.3  # the mean of seeds 0 and 2


def test_pairs_that_diverged_are_counted_above_their_panel(tmp_path, drawn) -> None:
    rows = [r | {"target_distance": round(r["distance"], -3)} for r in with_distance()]
    nothing = {"value": None, "distance": None, "n": 100}
    lost = [r | nothing if r["target_distance"] == 2000 and r["seed"] else r for r in rows]
    plots.distance_panels(lost, tmp_path / "distance.png")
    left, right = drawn[0].axes
    assert left.get_title(loc="right") == "1 pair diverged"
    assert right.get_title(loc="right") == "1 pair undefined"
    assert [len(line.get_xdata()) for line in left.lines if line.get_marker() == "o"] == [5, 5]
    plots.distance_panels(rows, tmp_path / "distance.png")
    assert [ax.get_title(loc="right") for ax in drawn[1].axes] == ["", ""]


def test_features_that_are_not_finite_are_counted(tmp_path, drawn, rng) -> None:
    x, y = rng.normal(size=(2, 1200))
    nothing = np.full(1200, np.nan)
    panels = {"whole": (x, y, 0.5, None), "diverged": (nothing, y, None, np.arange(1200) % 10)}
    plots.feature_scatter(panels, tmp_path / "features.png")
    whole, lost = drawn[0].axes
    assert len(whole.texts) == 0
    assert [t.get_text() for t in lost.texts] == ["1,200 of 1,200 not finite"]
    assert lost.get_title(loc="left") == "diverged\nR² undefined"


def test_points_far_out_do_not_squash_the_rest(tmp_path, drawn) -> None:
    """Of 100 points two lie a hundred times as far as the others are wide; they are marked."""
    x = np.linspace(-1, 1, 100)
    y = x.copy()
    y[[3, 50]] = -200, 300
    plots.feature_scatter({"a": (x, y, 0.5, None), "b": (x, x, 1.0, None)}, tmp_path / "f.png")
    far, whole = drawn[0].axes
    low, high = far.get_ylim()
    assert -2 < low < -1 < 1 < high < 2
    assert [t.get_text() for t in far.texts] == ["2 of 100 farther out"]
    marks = np.asarray(far.collections[1].get_offsets())
    np.testing.assert_allclose(marks[:, 0], x[[3, 50]])
    assert (marks[:, 1] < -1).tolist() == [True, False]
    np.testing.assert_allclose(far.collections[0].get_offsets(), np.stack([x, y], 1))
    assert whole.get_ylim() == pytest.approx((-1.08, 1.08))
    assert not whole.texts


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
    plots.transfer_bars(study(seeds=1), tmp_path / "bars.png")
    plots.metric_lines(study(seeds=1, metric="m"), "m", tmp_path / "lines.png")
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


def test_radii_are_written_as_the_field_does() -> None:
    assert named.radius(8 / 255) == "8/255"
    assert named.radius(0.2) == "0.2"  # 51/255, which nobody writes
    assert named.heading({"attack": "pgd", "eps": float(np.float32(2 / 255))}) == "PGD · ε = 2/255"
    assert named.heading({"eps": 0.10001}) == "ε = 0.10001"


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


def test_features_are_coloured_by_class_and_stay_a_small_file(tmp_path, drawn, rng) -> None:
    x, y = rng.normal(size=(2, 10_000)).astype(np.float32)
    y[0] = np.nan
    labels = rng.integers(0, 10, 10_000)
    panels = {
        "plain": (x, y, 0.991, labels),
        "no classes": (x, y, None, None),
        "too many": (x, y, float("nan"), labels * 7),
    }
    plots.feature_scatter(panels, tmp_path / "features.png")
    assert_png(tmp_path / "features.png")
    plain, unlabelled, _ = drawn[0].axes
    assert plain.get_title(loc="left") == "plain\nR² = 0.991"
    assert unlabelled.get_title(loc="left") == "no classes\nR² undefined"
    np.testing.assert_allclose(plain.collections[0].get_offsets(), np.stack([x, y], 1)[1:])
    colours = [np.unique(ax.collections[0].get_facecolor(), axis=0) for ax in drawn[0].axes]
    assert [len(found) for found in colours] == [10, 1, 1]
    assert [t.get_text() for t in drawn[0].legends[0].get_texts()] == list("0123456789")


@pytest.mark.parametrize("drop", ["variant", "attack", "everything", "values", "keys"])
def test_missing_groups_do_not_crash(tmp_path, drop) -> None:
    rows = [*study(2), *with_distance()]
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
        plots.transfer_bars(study(1), tmp_path / "first.png")
        assert dict(mpl.rcParams) == before
    plots.transfer_bars(study(1), tmp_path / "second.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def setting(model: str, attack: str | None, ball: str | None) -> reduce.Setting:
    return {"model": model, "attack": attack, "ball": ball}


def points(*counts: int) -> list[reduce.Point]:
    """Points of so many seeds each."""
    return [reduce.Point(0.1, Interval(0.5, None, 0.5, count)) for count in counts]


def test_colours_and_words() -> None:
    colours = palette.colours_of(["new", "decorrelated", "plain", "newer"])
    assert colours["plain"] == palette.NAMED["plain"]
    assert len(set(colours.values())) == 4
    assert named.heading(setting("cnn", "mi_fgsm", "linf")) == r"CNN · MI-FGSM · $\ell_\infty$"
    assert named.heading(setting("mine", None, None)) == "mine"
    assert named.words("r_squared_held_out") == "R² held out"
    labels = [reduce.seeds_label(points(*counts)) for counts in ([8], [5, 8], [1], [])]
    assert labels == ["n = 8 seeds", "n = 5–8 seeds", "n = 1 seed", "no values"]
    lost = reduce.Point(0.1, None, 2)
    labels = [reduce.seeds_label([*points(*counts), lost]) for counts in ([6], [])]
    assert labels == ["n = 6 seeds, 2 diverged", "2 diverged"]
    assert reduce.seeds_label([lost], reduce.why_unknown("r_squared")) == "2 undefined"
    six = palette.colours_of(list("abcdef"))
    assert len(set(six.values())) == 6
    assert len(features.classes_of(None)) == 0


@pytest.mark.parametrize(("count", "channels"), [(5, 1), (2, 3), (0, 1)])
def test_pictures_stand_in_rows(tmp_path, drawn, rng, count, channels) -> None:
    names = ("natural", "perturbed")
    rows = {name: rng.uniform(size=(count, 8, 8, channels)) for name in names}
    plots.picture_rows(rows, tmp_path / "pictures.png")
    axes = drawn[0].axes
    shown = [ax.images[0].get_array() for ax in axes if ax.images]
    assert len(shown) == 2 * count
    if count:
        np.testing.assert_allclose(np.squeeze(shown[0]), np.squeeze(rows["natural"][0]))
        assert [ax.get_ylabel() for ax in axes if ax.get_ylabel()] == list(names)
    assert (tmp_path / "pictures.png").stat().st_size > 500


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


@pytest.mark.parametrize("apart", [1, 9])
@pytest.mark.parametrize("rare", [1, 10_000])
def test_each_class_has_a_colour_of_its_own_in_the_file(tmp_path, rng, rare, apart) -> None:
    """The legend's marks exactly as drawn, and lone points as on white but for rounding."""
    labels = np.concatenate([rng.integers(0, 9, 10_000), np.full(rare, 9)])
    x, y = rng.normal(size=(2, len(labels))) + apart * labels
    plots.feature_scatter(dict.fromkeys("ab", (x, y, 0.9, labels)), tmp_path / "a.png")
    found = pixels(tmp_path / "a.png").reshape(-1, 3)
    for colour in map(rgb, palette.CLASSES):
        assert (found == colour).all(-1).sum() > 50
        on_white = 255 - style.POINTS * (255 - colour)
        if apart > 1:  # else they may overlap others
            assert np.abs(found - on_white).max(-1).min() <= 1.5
    with Image.open(tmp_path / "a.png") as image:
        assert len(image.getcolors()) <= 256


@pytest.mark.parametrize("count", [2, 5, 6, 10])
@pytest.mark.parametrize("length", [4, 18, 40])
def test_every_entry_of_a_legend_lies_inside_the_file(tmp_path, drawn, count, length) -> None:
    names = [f"{number}".ljust(length, "w") for number in range(count)]
    rows = [
        under_attack("transfer_rate", 0.3, seed, variant=name, eps=eps)
        for seed in range(2)
        for name in names
        for eps in EPS
    ]
    plots.metric_lines(rows, "transfer_rate", tmp_path / "lines.png")
    (figure,), found = drawn, pixels(tmp_path / "lines.png")
    figure.canvas.draw()  # boxes as at the figure's own resolution
    (legend,) = figure.legends
    assert len(legend.get_texts()) == count
    height = len(found)
    for text in legend.get_texts():
        box = text.get_window_extent()
        scale = style.DPI / figure.dpi
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
        assert figure.axes[0].bbox.y1 < box.y0 < box.y1 <= figure.bbox.height
        rows_ = slice(int(height - box.y1 * scale), int(height - box.y0 * scale))
        word = found[rows_, int(box.x0 * scale) : int(box.x1 * scale)]
        eighths = np.array_split(word.sum(-1) < 3 * 128, 8, axis=1)
        assert all(part.any() for part in eighths)  # ink, from the first letter to the last
    assert figure.axes[0].bbox.height / figure.dpi > 1  # inches left to the panel


@pytest.mark.parametrize("panels", [1, 3, 6])
def test_all_classes_stand_beside_however_many_panels(tmp_path, drawn, rng, panels) -> None:
    x, y = rng.normal(size=(2, 200))
    labels = np.arange(200) % 10
    each = {f"panel {number}": (x, y, 0.9, labels) for number in range(panels)}
    plots.feature_scatter(each, tmp_path / "features.png")
    (figure,) = drawn
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert len(boxes) == 10
    assert all(0 <= box.y0 < box.y1 <= figure.bbox.height for box in boxes)
    assert all(figure.axes[-1].bbox.x1 < box.x0 < box.x1 <= figure.bbox.width for box in boxes)
