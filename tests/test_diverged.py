"""Networks that diverged: never a class, a rate or a point, and said wherever one is missing."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import decorrelated_pairs
from experiments.frame import train
from experiments.frame.job import Job
from experiments.frame.measure import features, pathways
from experiments.frame.rows import NONFINITE, attack_rows, clean_rows
from experiments.frame.run import run as run_study
from experiments.frame.soundness import diverged, seeds_of
from experiments.frame.tables import distance, gradients, networks, transfer
from experiments.frame.tables.pathways import RATES
from jaxadv import metrics, results
from jaxadv.defences import regularised
from jaxadv.evaluation import each_and_all
from jaxadv.losses.gradients import cosines, probability_gradient_norms
from jaxadv.plots import style
from jaxadv.results import Row, select
from jaxadv.training import State
from tests.studies import settings_of, tool
from tests.test_tables import line, magnitude

LABELS = np.array([0, 1, 1, 0])
NATURAL = np.eye(2)[[[0, 1, 1, 0], [0, 1, 1, 1]]]  # [M, N, C]; member 2 errs on the last
ATTACKED = np.eye(2)[[[1, 0, 1, 0], [1, 1, 1, 1]]]  # both err on the first, 1 and 2 alone on two
KEYS = {"model": "m", "variant": "plain", "seed": 0}


def lost(probabilities: np.ndarray, member: int, examples: slice = slice(None)) -> np.ndarray:
    """The same, of one member not finite."""
    changed = np.array(probabilities, np.float64)
    changed[member, examples] = np.nan
    return changed


def rows_of(natural: np.ndarray, attacked: np.ndarray) -> list[Row]:
    """Rows of one run under an attack that makes the same images on every source."""
    crafted, sources = np.stack([attacked] * 3), each_and_all(2)
    under_attack = attack_rows(crafted, natural, LABELS, sources, {**KEYS, "attack": "a"})
    return [*clean_rows(natural, LABELS, KEYS), *under_attack]


def values(rows: list[Row], **where) -> dict[str, tuple[float | None, int]]:
    """Each metric's value and count, of the rows of one source and target."""
    return {row["metric"]: (row["value"], row["n"]) for row in select(rows, **where)}


def test_rates_of_whole_networks_are_unchanged():
    rows = rows_of(NATURAL, ATTACKED)
    assert values(rows, attack="a", source="1", target="2") == {
        "error_rate": (0.5, 4),
        "transfer_rate": (0.5, 2),
        "transfer_rate_clean_correct": (0.5, 2),
        NONFINITE: (0.0, 4),
        "detection_auc_transferred": (0.375, 1),
        "detection_rate_transferred": (0.0, 1),
    }
    assert all(row["value"] is not None for row in rows)


def test_no_rate_of_a_member_that_diverged_has_a_value():
    rows = rows_of(lost(NATURAL, 1), lost(ATTACKED, 1))
    assert values(rows, attack=None, target="1") == {"clean_accuracy": (1.0, 4), NONFINITE: (0, 4)}
    for target in ("2", "ensemble"):
        assert values(rows, attack=None, target=target)["clean_accuracy"] == (None, 4)
    assert values(rows, attack=None, target="2")[NONFINITE] == (1.0, 4)
    for source in ("2", "all"):
        of = values(rows, attack="a", source=source, target=None)
        assert {n for _, n in of.values()} == {4}
        assert {value for value, _ in of.values()} == {None}
    alone = values(rows, attack="a", source="1", target=None)
    assert alone["success_rate"] == alone["success_rate_clean_correct"] == (0.5, 4)
    assert alone["detection_auc"] == (None, 2)  # disagreement with what has no class
    assert values(rows, attack="a", source="1", target="2")["transfer_rate"] == (None, 2)
    assert values(rows, attack="a", source="2", target="1") == {
        "error_rate": (0.5, 4),
        NONFINITE: (0.0, 4),
        "transfer_rate": (None, 4),
        "transfer_rate_clean_correct": (None, 4),
        "detection_auc_transferred": (None, 2),
        "detection_rate_transferred": (None, 2),
    }


def test_one_example_without_a_class_makes_unknown_what_is_of_it():
    rows = rows_of(NATURAL, lost(ATTACKED, 1, slice(2, 3)))  # one that member 1 has right
    to = values(rows, attack="a", source="1", target="2")
    assert (to["error_rate"], to[NONFINITE]) == ((None, 4), (0.25, 4))
    assert to["transfer_rate"] == (0.5, 2)  # which is not of it
    assert values(rows, attack="a", source="all", target=None)["success_rate"] == (None, 4)
    assert values(rows, attack="a", source="1", target=None)["success_rate"] == (0.5, 4)


def test_natural_images_without_a_class_leave_what_is_not_of_them():
    rows = rows_of(lost(NATURAL, 0, slice(0, 1)), ATTACKED)
    of = values(rows, attack="a", source="1", target=None)
    assert of["success_rate"] == (0.5, 4)
    assert of["success_rate_clean_correct"] == (None, 4)
    assert of["detection_auc"] == (None, 2)  # of the natural images it would have to tell them from


def test_pathways_that_diverged():
    errors = np.array([[0.1] * 4, [np.inf] * 4])
    rows = list(pathways.pathway_rows(lost(ATTACKED, 1), errors, LABELS, KEYS))
    of = values([row for row in rows if row["metric"] != NONFINITE])
    assert set(of) == {*RATES, "squared_error"}
    assert set(of.values()) == {(None, 4)}
    assert [row["value"] for row in select(rows, metric=NONFINITE)] == [0.0, 1.0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_have_no_scores(rng, value):
    one, other = rng.normal(size=(2, 60, 3)).astype(np.float32)
    other[50, 1] = value  # of the half held out
    scores = features.feature_scores((jnp.asarray(one), jnp.asarray(other)))
    assert all(np.isnan(score).all() for score in scores.values())
    logits = jnp.asarray(np.stack([one, other]))
    assert all(np.isnan(s).all() for s in features.logit_scores((one, other), logits).values())
    assert np.isnan(features.live_columns(jnp.asarray(other)))
    assert features.live_columns(jnp.asarray(one).at[:, 0].set(2.0)) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite_have_no_length(rng, value):
    gradients = jnp.asarray(rng.normal(size=(2, 3, 4))).at[1, 0, 2].set(value)
    lengths = probability_gradient_norms(jnp.zeros((2, 3)), gradients)
    assert np.isnan(lengths).tolist() == [[False] * 3, [True, False, False]]
    assert np.isnan(cosines(gradients)).tolist() == [[True, False, False]]


def seeds(*runs: list[Row]) -> list[Row]:
    """Rows of several runs, numbered as seeds."""
    return [{**row, "seed": seed} for seed, rows in enumerate(runs) for row in rows]


AT = {"ball": "linf", "eps": 0.1}


def test_tables_mark_runs_that_diverged_and_say_of_how_many_a_mean_is():
    whole, half = rows_of(NATURAL, ATTACKED), rows_of(lost(NATURAL, 1), lost(ATTACKED, 1))
    rows = [{**row, **AT} if "attack" in row else row for row in seeds(whole, half, whole)]
    assert diverged(rows) == {1}
    natural = line(networks.networks(rows), "plain")
    assert (natural["seeds"], natural["collapsed"]) == ("3, 1 diverged", "0")
    assert natural["clean accuracy"] == "0.875 ± 0.000 (n 2)"  # not with the other half's 1.000
    assert natural["lowest"] == "0.750"
    attacked = line(transfer.transfer(rows), "plain")
    assert attacked["seeds"] == "3, 1 diverged"
    assert attacked["1→2"] == "0.500 ± 0.000 (n 2)"
    assert attacked["success"] == "0.500 ± 0.000 (n 2)"
    both = line(transfer.one_and_all(rows), "plain")
    assert both["both"] == "0.250 ± 0.000 (n 2)"
    assert both["mean probability"].endswith("(n 2)")
    assert line(networks.accuracies(rows), "plain")["network 1"] == "1.000 ± 0.000"
    assert line(networks.accuracies(rows), "plain")["network 2"] == "0.750 ± 0.000 (n 2)"


def test_where_all_diverged_there_is_no_mean():
    rows = rows_of(lost(NATURAL, 1), lost(ATTACKED, 1))
    natural = line(networks.networks(rows), "plain")
    assert natural["seeds"] == "1, 1 diverged"
    assert (natural["clean accuracy"], natural["lowest"]) == ("–", "1.000")
    assert seeds_of(rows_of(NATURAL, ATTACKED), 8) == "8"


def test_differences_say_of_how_many_pairs_they_are():
    whole, half = rows_of(NATURAL, ATTACKED), rows_of(lost(NATURAL, 1), lost(ATTACKED, 1))
    plain, other = seeds(whole, whole, half), seeds(whole, half, whole, whole)
    rows = [*plain, *({**row, "variant": "new"} for row in other)]
    rows = [{**row, **AT} if "attack" in row else row for row in rows]
    found = line(transfer.transfer(rows), "new")
    assert found["seeds"] == "4, 1 diverged"
    assert found["− plain"] == "0.000 (n 1)"  # of the three that both have


def test_a_collapsed_pair_is_set_apart_and_one_that_diverged_with_it():
    whole, broken = rows_of(NATURAL, ATTACKED), rows_of(lost(NATURAL, 1), ATTACKED)
    flat = rows_of(1 - NATURAL, ATTACKED)
    found = networks.networks(seeds(whole, broken, flat))
    assert [cells[1:4] for cells in found.lines] == [
        ["plain", "3, 1 diverged", "1"],
        ["plain, uncollapsed", "1", "0"],
    ]


def test_fits_leave_out_pairs_that_diverged_and_count_them():
    clean = {"metric": "clean_accuracy", "target": "2", "model": "fc", "n": 9}
    rows = [row for seed in range(4) for row in magnitude(seed, 9.0, float(seed), seed / 8)]
    for seed, value in enumerate((0.9, 0.9, None, 0.9)):
        rows.append({**clean, "variant": "0.1 & 9.0", "seed": seed, "value": value})
    (cells,) = gradients.length_fits(rows).lines
    assert cells[4] == "3, 1 diverged"


def test_slopes_count_pairs_that_diverged():
    keys = {"metric": "transfer_rate", "model": "cnn", "eps": 0.1, "source": "1", "n": 9}
    rows = [
        {**keys, "seed": 0, "target_distance": at, "distance": at, "value": at / 10}
        for at in (1, 2)
    ]
    rows.append({**rows[0], "target_distance": 3, "distance": None, "value": None})
    (cells,) = distance.slopes(rows).lines
    assert cells[3] == "2, 1 diverged"
    (cells,) = distance.slopes(rows[1:]).lines  # through one point there is no line
    assert cells[3:] == ["1, 1 diverged", "0.200", "–", "–", "–"]
    (cells,) = distance.slopes(rows[2:]).lines
    assert cells[3:] == ["0, 1 diverged", "–", "–", "–", "–"]


def test_training_says_which_run_diverged_and_when(capsys):
    settings = {"strength": np.array([0.0, 0.05])}
    state = State({}, (), jnp.array([3, 3]), jnp.array([7, 7]), settings)
    scores = {"accuracy": [0.75, 0.0], "loss": [0.5, np.nan], "r_squared": [np.nan, np.nan]}
    found = {name: jnp.array(value) for name, value in scores.items()}
    assert train._diverged(found) == {1}
    line_of = "accuracy 0.750, loss 0.500, r_squared –, 1 of 2 runs diverged, 10 images/s"
    assert train._line(found, 10) == line_of
    assert train._say_diverged("cnn", state, found, set()) == {1}
    said = capsys.readouterr().err
    begins = "cnn: diverged in epoch 3, where the loss is not finite: seed 7 strength 0.05"
    assert said == f"{begins}\n"
    assert train._say_diverged("cnn", state, found, {1}) == {1}  # said before
    assert capsys.readouterr().err == ""


SMALL = "--preset smoke --models fc --seeds 2 --epochs 1 --eps 0.1 --attacks fgsm --balls linf"


def broken(job: Job) -> State:
    """One plain network of the first seeds is NaN, and all decorrelated ones."""
    phase = regularised(job.ensemble, optax.adam(5e-3), joined="root_sum_square")
    state = job.trained([phase], watch=False)  # runs: plain 0, plain 1, decorrelated 0 and 1
    if 0 not in np.asarray(state.seed):
        return state
    spoilt = jax.tree.map(lambda w: w.at[1, 1].set(jnp.nan).at[2:].set(jnp.nan), state.variables)
    return state._replace(variables=spoilt)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> list[Path]:
    """Two runs of two seeds, of which the first is broken."""
    folder, words = tmp_path_factory.mktemp("diverged"), SMALL.split()
    return [
        run_study(
            replace(decorrelated_pairs.STUDY, train=broken),
            settings_of("decorrelated_pairs", *words, "--first-seed", seed, "--out", folder / seed),
        )
        for seed in ("0", "2")
    ]


@pytest.mark.slow
def test_a_study_of_networks_that_diverged(study):
    rows = results.read(study[0])["rows"]
    plain = select(rows, metric="clean_accuracy", variant="plain", seed=1)
    assert [row["value"] is None for row in plain] == [False, True, True]
    for row in select(rows, variant="decorrelated"):
        finite_anyway = row["metric"] in (NONFINITE, "nonfinite_gradients", "zero_gradients")
        assert (row["value"] is not None) == finite_anyway, row
        assert row["metric"] != NONFINITE or row["value"] == 1.0
    whole = select(rows, variant="plain", seed=0)
    assert all(row["value"] == 0 for row in select(whole, metric=NONFINITE))
    assert all(row["value"] is not None or row["n"] == 0 for row in whole)


@pytest.mark.slow
def test_kept_classes_are_none_where_predictions_are_not_finite(study):
    with np.load(study[0] / "predictions.npz") as kept:
        clean, classes = kept["fc/fgsm_linf/clean_class"], kept["fc/fgsm_linf/adversarial_class"]
        probabilities = kept["fc/fgsm_linf/clean"]
    assert (clean[2:] == metrics.NO_CLASS).all()
    assert (clean[1] == metrics.NO_CLASS).all(-1).tolist() == [False, True]
    assert (clean[0] == probabilities[0].argmax(-1)).all()
    assert (classes[2:] == metrics.NO_CLASS).all()
    assert (classes[1, :, :, 0] >= 0).all()


@pytest.mark.slow
def test_figures_and_merged_results_of_networks_that_diverged(study, tmp_path, monkeypatch, capsys):
    labels, finish = [], style.finish

    def spied(figure, path) -> None:
        labels.append([text.get_text() for legend in figure.legends for text in legend.get_texts()])
        finish(figure, path)

    monkeypatch.setattr(style, "finish", spied)
    tool("plot", study[0])
    marked = ["plain (n = 1 seed, 1 diverged)", "decorrelated (2 diverged)"]
    assert labels[0] == labels[1][:2] == marked
    tool("merge", *study, "--out", tmp_path / "m")
    rows = results.read(tmp_path / "m")["rows"]
    table = networks.networks(rows)
    assert line(table, "plain")["seeds"] == "4, 1 diverged"
    assert line(table, "plain")["clean accuracy"].endswith("(n 3)")
    assert line(table, "decorrelated")["seeds"] == "4, 2 diverged"
    assert "2 diverged" in capsys.readouterr().out
