"""What nothing can be trained with is named before a training is spent."""

import numpy as np
import optax
import pytest

from jaxadv import models, training
from jaxadv.data import Dataset, load_dataset
from jaxadv.defences import adp, decorrelation, dverge, gal, gradient_alignment, regularised
from jaxadv.ensemble import stacked
from jaxadv.errors import UserError
from tests.training.made import ENSEMBLE, phase


@pytest.mark.parametrize("size", [0, 401])
def test_an_impossible_batch_size_names_itself(digits, begun, size):
    phases, state = begun
    with pytest.raises(UserError, match=f"batch size {size} for 400 examples"):
        next(training.fit(phases, state, digits, epochs=1, batch_size=size))


def test_too_few_samples_for_the_features_is_an_error(digits):
    state = training.init(ENSEMBLE.init, [phase()], digits, [0], {"strength": [0.05]})
    with pytest.raises(UserError, match="20 samples for 24 features"):
        next(training.fit([phase()], state, digits, epochs=1, batch_size=20))


def test_no_seeds_is_an_error(digits):
    with pytest.raises(UserError, match="no seeds"):
        training.init(ENSEMBLE.init, [phase()], digits, [])


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (gal, "strength"),
        (adp, "strength"),
        (gradient_alignment, "cosine"),
        (decorrelation, "strength"),
    ],
)
def test_runs_without_the_setting_of_their_loss_are_refused(recipe, name, digits):
    phases = recipe(ENSEMBLE, optax.adam(1e-3))
    phases = phases if isinstance(phases, list) else [phases]
    state = training.init(ENSEMBLE.init, phases, digits, [0])
    with pytest.raises(UserError, match=f"scalar '{name}': the runs have none"):
        next(training.fit(phases, state, digits, epochs=1, batch_size=100))


def test_diversity_of_one_member_is_refused():
    with pytest.raises(UserError, match=r"ADP of 1 member\(s\): give at least 2"):
        adp(stacked(models.fc(), 1), optax.adam(1e-3))


def data_of(images, labels):
    return Dataset(np.asarray(images), np.asarray(labels))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: (d.images[:20], d.labels), "20 images, 400 labels"),
        (lambda d: (d.images, d.labels[:20]), "400 images, 20 labels"),
        (lambda d: (d.images[:0], d.labels[:0]), "at least one"),
        (lambda d: (d.images, d.labels[:, None]), r"labels of shape \(400, 1\)"),
        (lambda d: (d.images, d.labels.astype(float)), "labels of type float64"),
        (lambda d: (d.images, d.labels - 1), "labels from -1 to 8"),
        (lambda d: (d.images.astype(np.int32) + 9, d.labels), "from 9 to 264"),
        (lambda d: (np.full(d.images.shape, np.nan), d.labels), "not finite"),
    ],
)
def test_data_that_nothing_can_learn_from_are_refused(change, words, digits, begun):
    wrong, (phases, state) = data_of(*change(digits)), begun
    with pytest.raises(UserError, match=words):
        training.init(ENSEMBLE.init, phases, wrong, [0], {"strength": [0.0]})
    with pytest.raises(UserError, match=words):
        next(training.fit(phases, state, wrong, epochs=1, batch_size=10))


@pytest.mark.parametrize("recipe", [regularised, decorrelation, gal, dverge])
def test_labels_beyond_the_classes_are_refused_before_a_training_is_spent(recipe, digits):
    """Traced, the loss cannot see them: a label of 10 gives NaN, of −1 another class's loss."""
    phases = recipe(ENSEMBLE, optax.adam(1e-3))
    phases = phases if isinstance(phases, list) else [phases]
    state = training.init(ENSEMBLE.init, phases, digits, [0], {"strength": [0.0]})
    wrong = digits._replace(labels=digits.labels + 1)
    with pytest.raises(UserError, match=r"labels from 1 to 10: .* 0 to 9; subtract 1"):
        next(training.fit(phases, state, wrong, epochs=1, batch_size=50))


def test_splits_one_phase_and_a_number_of_seeds_are_named(digits):
    splits, one = load_dataset("digits"), phase()
    begin = training.init
    for call, words in (
        (lambda: begin(ENSEMBLE.init, [one], splits, [0]), r"splits of digits 8x8: give .*\.train"),
        (lambda: begin(ENSEMBLE.init, one, digits, [0]), r"phases: give a list of them, \[phase\]"),
        (lambda: begin(ENSEMBLE.init, [one], digits, 4), r"seeds 4: give a list, range\(4\)"),
        (lambda: begin(ENSEMBLE.init, [one], digits, [0.5]), r"seeds \[0.5\]: give whole numbers"),
        (lambda: begin(ENSEMBLE.init, [one], digits, [-1]), r"seeds \[-1\]: give whole numbers"),
        (lambda: begin(ENSEMBLE.init, [one], digits, [2**32]), "0 to 4294967295"),
        (
            lambda: begin(ENSEMBLE.init, [one], digits, [0, 1], {"strength": [0.1]}),
            r"scalar 'strength' of shape \(1,\): give one value for each of 2 seeds",
        ),
        (
            lambda: begin(ENSEMBLE.init, [one], digits, [0, 1], {"strength": 0.1}),
            r"scalar 'strength' of shape \(\)",
        ),
    ):
        with pytest.raises(UserError, match=words):
            call()
    state = begin(ENSEMBLE.init, [one], digits, range(1), {"strength": [0.0]})
    for more, words in (
        ({"epochs": 1.5}, "epochs 1.5"),
        ({"epochs": -1}, "epochs -1"),
        ({"batch_size": 10.0}, "batch size 10.0"),
        ({"batch_size": 0}, "batch size 0 for 400 examples"),
        ({"turns": "steps"}, "turns 'steps': choose one of batches, epochs"),
        ({"at_once": -1}, "at_once -1"),
    ):
        options = {"epochs": 1, "batch_size": 100, **more}
        with pytest.raises(UserError, match=words):
            next(training.fit([one], state, digits, **options))
    with pytest.raises(UserError, match="2 phases, a state of 1"):
        next(training.fit([one, one], state, digits, epochs=1, batch_size=100))
    with pytest.raises(UserError, match="phases: give a list"):
        next(training.fit(one, state, digits, epochs=1, batch_size=100))
    with pytest.raises(UserError, match="phases: give a list"):
        training.onward(state, one)
