"""One network's features against another's, a colour a class; and rows of pictures."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.frame.figures import feature_scatters
from jaxadv import plots
from jaxadv.plots import colours as palette
from jaxadv.plots import style
from tests.plots.made import assert_png, pixels, row


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


def test_a_scatter_shows_the_first_pair_that_did_not_collapse(tmp_path, drawn) -> None:
    scores = [("plain", 3, 0.9), ("plain", 4, 0.8), ("decorrelated", 3, None)]
    scores += [("decorrelated", 4, 0.2), ("decorrelated", 5, 0.1), ("lost", 3, None)]
    rows = [row("component_r_squared", v, seed, variant=name) for name, seed, v in scores]
    components = np.arange(6)[:, None, None] + np.linspace(0, 0.5, 4)
    arrays = {
        "cnn/components": np.broadcast_to(components, (6, 2, 4)),
        "cnn/component_labels": np.arange(4),
    }
    run = SimpleNamespace(rows=rows, arrays=lambda _: arrays, directory=tmp_path)
    feature_scatters(run, tmp_path)
    titles = [ax.get_title(loc="left") for ax in drawn[0].axes]
    assert titles == [
        "plain, seed 3\nR² = 0.900",
        "decorrelated, seed 4\nR² = 0.200",
        "lost, seed 3\nR² undefined",
    ]
    firsts = [ax.collections[0].get_offsets()[0, 0] for ax in drawn[0].axes]
    assert firsts == [0, 3, 5]
