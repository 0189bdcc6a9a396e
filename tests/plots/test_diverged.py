"""Networks that diverged are marked and counted in every figure, never drawn as zero."""

from functools import partial

import numpy as np
import pytest

from jaxadv import plots
from tests.plots.made import EPS, RATE, assert_png, diverged, few, with_distance


@pytest.mark.parametrize(
    "draw", [plots.transfer_bars, partial(plots.metric_lines, metric=RATE)], ids=["bars", "lines"]
)
def test_networks_that_diverged_are_marked_and_never_zero(tmp_path, drawn, draw) -> None:
    some = diverged([r for r in few(3) if r["variant"] == "plain"], 1)
    every = diverged([r for r in few(3) if r["variant"] == "decorrelated"], 0, 1, 2)
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
