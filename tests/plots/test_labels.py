"""Colours, words, radii and legends."""

import numpy as np
import pytest

from jaxadv import plots
from jaxadv.metrics import Interval
from jaxadv.plots import colours as palette
from jaxadv.plots import features, reduce, style
from jaxadv.plots import labels as named
from tests.plots.made import EPS, pixels, under_attack


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


def test_radii_are_written_as_the_field_does() -> None:
    assert named.radius(8 / 255) == "8/255"
    assert named.radius(0.2) == "0.2"  # 51/255, which nobody writes
    assert named.heading({"attack": "pgd", "eps": float(np.float32(2 / 255))}) == "PGD · ε = 2/255"
    assert named.heading({"eps": 0.10001}) == "ε = 0.10001"


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
