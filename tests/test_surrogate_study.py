"""A new network beside a frozen one: what is frozen stays, and the study end to end on digits."""

from functools import partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import models, results, training
from jaxadv.data import load_dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import frozen, mixed, stacked
from tests.stopping import stop_after
from tests.studies import refused, run

MODEL = models.fc(widths=(32, 24, 16), feature_block=2)
SMALL = "--preset smoke --seeds 2 --epochs 2 --attacks fgsm --pgd-examples 40"
small = partial(run, "surrogate_defence", *SMALL.split(), "--out")


@pytest.mark.slow
def test_a_frozen_member_stays_as_it_is_and_shows_what_it_shows_in_eval_mode():
    digits = load_dataset("digits").train
    pair = mixed([frozen(stacked(MODEL, 1)), stacked(MODEL, 1)])
    phases = [decorrelation(pair, optax.adam(1e-2))]
    state = training.init(pair.init, phases, digits, [0, 1], {"strength": [0.05, 0.05]})
    before = jax.tree.map(np.asarray, state.variables)
    x = jnp.asarray(digits.images[:50]) / 255.0
    one = jax.tree.map(lambda leaf: leaf[0], state.variables)
    trained_mode, _ = pair.apply(one, x, train=True)
    alone, _ = stacked(MODEL, 1).apply(one[0], x, train=False)
    np.testing.assert_array_equal(trained_mode.logits[0], alone.logits[0])
    *_, (state, _) = training.fit(phases, state, digits, epochs=1, batch_size=200)
    chex.assert_trees_all_equal(jax.tree.map(np.asarray, state.variables[0]), before[0])
    assert np.any(state.variables[1]["batch_stats"]["norm1"]["mean"] != 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("surrogate") / "run"
    small(out)
    return out


@pytest.mark.slow
def test_both_networks_are_attacked_beside_one_surrogate(study):
    rows = results.read(study)["rows"]
    clean = {}
    for variant in ("independent", "decorrelated from it"):
        pairs = results.select(rows, variant=variant)
        transfer = results.select(pairs, metric="transfer_rate", source="1", target="2")
        assert [row["seed"] for row in transfer] == [0, 1]
        for metric in ("detection_auc", "detection_rate"):
            assert len(results.select(pairs, metric=metric, source="1", eps=0.1)) == 2
        clean[variant] = [
            [row["value"] for row in results.select(pairs, metric="clean_accuracy", target=target)]
            for target in ("1", "2")
        ]
    first, second = clean.values()
    assert first[0] == second[0]  # the surrogates are the same
    assert first[1] != second[1]


@pytest.mark.slow
def test_stopped_beside_the_surrogate_and_resumed_equals_uninterrupted(
    study, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    stop_after(3, monkeypatch, partial(small, out))  # two epochs of the surrogates, one beside them
    small(out, "--resume")
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.slow
def test_from_attacks_the_networks_of_another_run(study, tmp_path):
    out = tmp_path / "again"
    small(out, "--from", study, "--pgd-examples", "30")  # of no matter to FGSM
    assert results.read(out)["rows"] == results.read(study)["rows"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch-size", "100"], "100 samples for 200 features"),
        (["--models", "lenet"], "lenet"),
        (["--eps", "-0.1"], "--eps -0.1"),
        (["--sketch-width", "-1"], "--sketch-width -1"),
        (["--joined", "sum"], "--joined"),
        (["--from", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_gets_one_line(words, message, tmp_path, capsys):
    assert message in refused(capsys, small, tmp_path / "run", *words)
