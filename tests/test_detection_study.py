"""Detection by disagreement end to end on the embedded digits, in every way to differ."""

from functools import partial
from itertools import combinations
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest

from experiments.disagreement_detection import GENTLE, ROC_ALARMS, WAYS
from experiments.frame.rows import attack_rows
from jaxadv import models, results, training
from jaxadv.data import Dataset
from jaxadv.ensemble import stacked
from jaxadv.evaluation import each_and_all
from jaxadv.plots.colours import colours_of
from tests.stopping import stop_after
from tests.studies import refused, run

SMALL = (
    "--preset smoke --ways dverge plain robust --epochs 2 --dverge-epochs 1 --pgd-steps 2 "
    "--pgd-examples 60"
)
small = partial(run, "disagreement_detection", *SMALL.split(), "--out")

N = GENTLE.sketch_width + 8  # enough for a regression on its directions


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("detection") / "run"
    small(out)
    return out


def stepped(name, seed=0):
    """The weights of the first layer after one step in one way, from the same start."""
    pair, way = stacked(models.fc(3, widths=(8, 6), feature_block=2)), WAYS[name]
    phases = way.phases(pair, optax.sgd(1e-2))
    data = Dataset(jax.random.uniform(jax.random.key(0), (N, 3, 3, 1)), jnp.arange(N) % 3)
    values = {key: [value] for key, value in way.varied.items()}
    state = training.init(pair.init, phases, data, [seed], values)
    state = state._replace(epoch=state.epoch + 9)  # past the beginning of the gentler form
    ((after, _),) = training.fit(phases, state, data, epochs=10, batch_size=N)
    return after.variables["params"]["linear1"]["kernel"]


@pytest.mark.slow
def test_every_way_takes_steps_of_its_own():
    after = {name: stepped(name) for name in WAYS}
    assert all(bool(jnp.all(jnp.isfinite(weights))) for weights in after.values())
    # DVERGE's two differ in where they begin.
    apart = [name for name in WAYS if name != "dverge-decorrelated"]
    for one, other in combinations(apart, 2):
        assert float(jnp.abs(after[one] - after[other]).max()) > 1e-6, (one, other)


def test_every_way_has_a_colour_of_its_own():
    assert len(set(colours_of(list(WAYS)).values())) == len(WAYS)


def test_a_row_for_every_share_of_alarms():
    clean = [[[0.9, 0.1], [0.8, 0.2]], [[0.9, 0.1], [0.7, 0.3]]]  # apart by 0 and 0.1
    fooled = [[[0.1, 0.9], [0.8, 0.2]], [[0.6, 0.4], [0.8, 0.2]]]  # the first by 0.5
    rows = list(attack_rows([fooled] * 3, clean, [0, 0], each_and_all(2), {}, (0.0, 0.5)))
    found = results.select(rows, metric="detection_rate", source="1")
    assert [(row["alarms"], row["value"], row["n"]) for row in found] == [(0.0, 1, 1), (0.5, 1, 1)]
    (auc,) = results.select(rows, metric="detection_auc", source="1")
    assert (auc["value"], auc["n"]) == (1, 1)
    (none,) = results.select(rows, metric="detection_auc", source="2")
    assert (none["value"], none["n"]) == (None, 0)


def test_images_that_another_member_gets_wrong_too_are_found_less():
    """Of three that fool the first, one fools both, and there the two agree."""
    clean = [[[0.9, 0.1]] * 3, [[0.9, 0.1], [0.9, 0.1], [0.7, 0.3]]]  # apart by 0, 0 and 0.2
    fooled = [[[0.1, 0.9]] * 3, [[0.2, 0.8], [0.9, 0.1], [0.8, 0.2]]]  # by 0.1, 0.8 and 0.7
    rows = list(attack_rows([fooled] * 3, clean, [0, 0, 0], each_and_all(2), {}, (1 / 3,)))
    (one,) = results.select(rows, metric="detection_rate", source="1")
    assert (one["value"], one["n"]) == (1, 3)
    (both,) = results.select(rows, metric="detection_rate_transferred", source="1", target="2")
    assert (both["value"], both["n"]) == (1, 1)
    (strict,) = results.select(
        list(attack_rows([fooled] * 3, clean, [0, 0, 0], each_and_all(2), {}, (0.0,))),
        metric="detection_rate_transferred",
        source="1",
    )
    assert (strict["value"], strict["n"]) == (0, 1)  # the threshold is 0.2
    assert not results.select(rows, metric="detection_rate_transferred", source="all")


@pytest.mark.slow
def test_every_way_is_measured(study):
    rows = results.read(study)["rows"]
    for way in ("plain", "robust", "dverge"):
        pairs = results.select(rows, variant=way)
        found = results.select(pairs, metric="detection_rate", source="all")
        assert [row["alarms"] for row in found] == [*ROC_ALARMS] * 2
        for seed in (0, 1):
            curve = [row["value"] for row in found if row["seed"] == seed]
            assert curve == sorted(curve)
    figures = {path.name for path in (study / "figures").iterdir()}
    assert figures == {"roc.png", "success.png", "transfer.png"}


@pytest.mark.slow
def test_stopped_in_dverge_and_resumed_equals_uninterrupted(study, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stop_after(3, monkeypatch, partial(small, out))  # two epochs of plain pairs, one of DVERGE
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_from_takes_some_of_the_ways_of_another_run(study, tmp_path, capsys):
    out = tmp_path / "again"
    small(out, "--ways", "dverge", "--from", study)
    here, there = (results.read(folder)["rows"] for folder in (out, study))
    assert here == results.select(there, variant="dverge")
    for option, there, asked in (("--dverge-epochs", 1, 2), ("--epochs", 2, 1)):
        line = refused(capsys, small, tmp_path / "other", option, asked, "--from", study)
        assert f"trained with {option} {there}, not {asked}" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ways", "magic"], "magic"),
        (["--ways"], "--ways"),
        (["--batch-size", "100"], "100 samples for 128 features"),
        (["--ways", "dverge-decorrelated", "--batch-size", "150"], "150 samples for 200 features"),
        (["--batch-size", "2000"], "--batch-size 2000"),
        (["--model", "lenet"], "images of 8×8: LeNet needs 10 pixels"),
        (["--dverge-epochs", "0"], "--dverge-epochs 0"),
    ],
)
def test_bad_input_gets_one_line(words, message, tmp_path, capsys):
    assert message in refused(capsys, small, tmp_path / "run", *words)
