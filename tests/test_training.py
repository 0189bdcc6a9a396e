"""`fit`: what a seed decides, that runs do not touch each other, and that resuming is exact."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxadv import models, training
from jaxadv.data import Dataset, load_dataset
from jaxadv.data.batches import epoch_indices
from jaxadv.defences import (
    adp,
    decorrelation,
    dverge,
    gal,
    gradient_alignment,
    parametric_distance,
    ramp,
    regularised,
)
from jaxadv.ensemble import stacked
from jaxadv.errors import UserError
from jaxadv.losses import accuracy, squared_distance

ENSEMBLE = stacked(models.fc(widths=(32, 24, 16), feature_block=2))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    train = load_dataset("digits").train
    return Dataset(train.images[:400], train.labels[:400])


@pytest.fixture(scope="module")
def begun(digits):
    """Phases and a state of theirs, for trainings that are refused: those leave it as it is."""
    phases = [phase()]
    return phases, training.init(ENSEMBLE.init, phases, digits, [0], {"strength": [0.0]})


def phase(**settings):
    return decorrelation(ENSEMBLE, optax.adam(5e-3), **settings)


def trained(digits, seeds, strengths, epochs=2, state=None, phases=None):
    phases = phases or [phase()]
    if state is None:
        state = training.init(ENSEMBLE.init, phases, digits, seeds, {"strength": strengths})
    *_, last = training.fit(phases, state, digits, epochs=epochs, batch_size=100)
    return last


def run_of(state, number):
    return jax.tree.map(lambda leaf: leaf[number], state)


def test_epoch_indices_cover_every_example_once_but_the_remainder():
    indices = np.asarray(epoch_indices(jax.random.key(0), 103, 10))
    assert indices.shape == (10, 10)
    assert len(np.unique(indices)) == 100


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_runs_beside_it(digits):
    # not Adam, whose first steps turn a gradient's rounding into whole steps
    options = {"epochs": 1, "phases": [decorrelation(ENSEMBLE, optax.sgd(0.05))]}
    together, _ = trained(digits, [0, 1, 0], [0.0, 0.05, 0.05], **options)
    alone, _ = trained(digits, [1], [0.05], **options)
    np.testing.assert_array_equal(run_of(together, 1).seed, run_of(alone, 0).seed)
    chex.assert_trees_all_close(
        run_of(together, 1).variables, run_of(alone, 0).variables, atol=1e-5
    )


def test_runs_of_one_seed_begin_at_the_same_weights(digits):
    state = training.init(ENSEMBLE.init, [phase()], digits, [3, 3, 4], {"strength": [0, 1, 0]})
    chex.assert_trees_all_equal(run_of(state, 0).variables, run_of(state, 1).variables)
    with pytest.raises(AssertionError, match="differ"):
        chex.assert_trees_all_equal(run_of(state, 0).variables, run_of(state, 2).variables)


def test_stopping_and_going_on_equals_one_training_to_the_bit(digits):
    straight, _ = trained(digits, [0, 1], [0.05, 0.0], epochs=4)
    half, _ = trained(digits, [0, 1], [0.05, 0.0], epochs=2)
    resumed, _ = trained(digits, None, None, epochs=4, state=half)
    chex.assert_trees_all_equal(straight, resumed)


def test_training_learns_and_decorrelation_lowers_r_squared(digits):
    from jaxadv.ensemble import features
    from jaxadv.losses import r_squared

    state, metrics = trained(digits, [0, 0], [0.0, 0.2], epochs=25)
    assert np.all(np.asarray(metrics["accuracy"]) > 0.95)
    scores = []
    for number in (0, 1):
        read = jax.jit(lambda v, x: r_squared(*features(ENSEMBLE, v)(x / 255.0)))
        scores.append(float(read(run_of(state, number).variables, digits.images)))
    assert scores[1] < scores[0] - 0.2


def test_a_nan_of_the_correlation_loss_cannot_reach_the_plain_run(digits):
    """With λ = 0 the term is never computed: not 0 · NaN."""
    bad = phase(ridge=1e30)  # its square is infinite, and infinity times 0 is NaN
    state, _ = trained(digits, [0, 0], [0.0, 0.05], phases=[bad])
    chex.assert_tree_all_finite(run_of(state, 0).variables)
    with pytest.raises(AssertionError, match="non-finite"):
        chex.assert_tree_all_finite(run_of(state, 1).variables)


def test_a_nan_of_the_correlation_loss_cannot_reach_the_plain_run_under_vmap(digits):
    """There both branches run, forward and backward, and one result is selected."""
    bad = phase(ridge=1e30)  # its square is infinite, and infinity times 0 is NaN
    state = training.init(ENSEMBLE.init, [bad], digits, [0, 0], {"strength": [0.0, 0.05]})
    batch = Dataset(jnp.asarray(digits.images[:300]) / 255.0, jnp.asarray(digits.labels[:300]))

    def gradient(state):
        def loss(params):
            variables = {**state.variables, "params": params}
            return bad.loss(variables, batch, jax.random.key(0), state.epoch, state.varied)[0]

        return jax.grad(loss)(state.variables["params"])

    plain, poisoned = (run_of(jax.jit(jax.vmap(gradient))(state), n) for n in (0, 1))
    chex.assert_tree_all_finite(plain)
    with pytest.raises(AssertionError, match="non-finite"):
        chex.assert_tree_all_finite(poisoned)


def test_one_step_equals_the_update_written_out(digits):
    """A phase's step against optax applied by hand to the same batch; no Adam, whose first step
    divides a gradient by itself and so doubles its rounding."""
    phases = [decorrelation(ENSEMBLE, optax.sgd(0.1))]
    state = training.init(ENSEMBLE.init, phases, digits, [5], {"strength": [0.0]})
    before = run_of(state, 0)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(before.seed), 1), 0)
    indices = epoch_indices(jax.random.split(key)[0], 400, 400)[0]
    x, y = jnp.asarray(digits.images)[indices] / 255.0, jnp.asarray(digits.labels)[indices]

    def loss(params):
        variables = {**before.variables, "params": params}
        logits = ENSEMBLE.apply(variables, x, train=True, key=None)[0].logits
        picked = jax.nn.log_softmax(logits)[:, jnp.arange(400), y]
        return -picked.mean(-1).sum()

    @jax.jit
    def stepped(params):
        optimizer, gradient = phases[0].optimizer, jax.grad(loss)(params)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return optax.apply_updates(params, updates)

    expected = stepped(before.variables["params"])
    (after, _), *_ = list(training.fit(phases, state, digits, epochs=1, batch_size=400))
    chex.assert_trees_all_close(run_of(after, 0).variables["params"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("turns", "total"), [("batches", 1 + 2 + 3 + 4), ("epochs", 4 + 4 + 4 + 4)]
)
def test_phases_take_turns_on_every_batch_or_after_all_of_them(digits, turns, total):
    """One adds 1 to a, the other adds a to b; four batches."""

    def adding(to, amount):
        def loss(variables, batch, key, epoch, settings):
            params = variables["params"]
            added = params[to] * jax.lax.stop_gradient(amount(params))
            return -added, (variables, {f"loss of {to}": added})

        return training.Phase(loss, optax.sgd(1.0))

    def zeros(key, example):
        return {"params": {"a": jnp.zeros(()), "b": jnp.zeros(())}}

    phases = [adding("a", lambda params: 1.0), adding("b", lambda params: params["a"])]
    state = training.init(zeros, phases, digits, [0, 1])
    ((after, metrics),) = training.fit(phases, state, digits, epochs=1, batch_size=100, turns=turns)
    assert after.variables["params"]["a"].tolist() == [4, 4]
    assert after.variables["params"]["b"].tolist() == [total, total]
    assert {"loss of a", "loss of b"} < set(metrics)


@pytest.mark.parametrize(("shares", "total"), [(None, 1.0), (0, 1.5)])
def test_a_phase_may_move_on_the_moments_of_another(digits, shares, total):
    """One has the gradient −1, the other none: with momentum 0.5 shared, it moves half as far."""

    def sloping(slope):
        def loss(variables, batch, key, epoch, settings):
            return slope * variables["params"]["a"], (variables, {})

        return training.Phase(loss, optax.sgd(1.0, momentum=0.5))

    phases = [sloping(-1.0), sloping(0.0)._replace(shares=shares)]
    state = training.init(lambda *_: {"params": {"a": jnp.zeros(())}}, phases, digits, [0])
    ((after, _),) = training.fit(phases, state, digits, epochs=1, batch_size=400)
    assert after.variables["params"]["a"].tolist() == [total]


def test_what_a_phase_does_not_train_stays(digits):
    def first_layer(path) -> bool:
        names = [getattr(entry, "key", None) for entry in path]
        return "params" in names and "linear1" in names

    frozen = phase()._replace(trainable=first_layer)
    state = training.init(ENSEMBLE.init, [frozen], digits, [0], {"strength": [0.0]})
    before = jax.tree.map(jnp.copy, run_of(state, 0).variables["params"])
    after, _ = trained(digits, None, None, epochs=1, state=state, phases=[frozen])
    params = run_of(after, 0).variables["params"]
    assert not np.array_equal(before["linear1"]["kernel"], params["linear1"]["kernel"])
    chex.assert_trees_all_equal(before["linear2"], params["linear2"])


def test_parametric_distance_is_drawn_to_its_target(digits):
    phases = [parametric_distance(ENSEMBLE, optax.adam(5e-3), strength=1e-3)]
    targets = [30.0, 120.0]
    state = training.init(ENSEMBLE.init, phases, digits, [0, 0], {"distance": targets})
    state, _ = trained(digits, None, None, epochs=30, state=state, phases=phases)
    for number, target in enumerate(targets):
        measured = float(squared_distance(run_of(state, number).variables["params"]))
        assert measured == pytest.approx(target, rel=0.1)


@pytest.mark.parametrize(
    ("epochs", "delay", "expected"),
    [(0, 0, [1, 1, 1]), (2, 0, [1 / 3, 2 / 3, 1]), (0, 2, [0, 0, 1]), (1, 1, [0, 0.5, 1])],
)
def test_ramp_by_hand(epochs, delay, expected):
    schedule = ramp(epochs, delay)
    np.testing.assert_allclose([schedule(jnp.asarray(e)) for e in range(3)], expected, atol=1e-7)


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


def test_onward_keeps_the_variables_and_begins_again(digits):
    state, _ = trained(digits, [0, 1], [0.0, 0.05])
    kept = jax.tree.map(np.asarray, state.variables)
    phases = [phase()]
    begun = training.onward(state, phases)
    chex.assert_trees_all_equal(begun.variables, state.variables)
    fresh = training.init(ENSEMBLE.init, phases, digits, [0, 1], {"strength": [0.0, 0.05]})
    chex.assert_trees_all_equal(begun.opt_states, fresh.opt_states)
    assert begun.epoch.tolist() == [0, 0]
    *_, _ = training.fit(phases, begun, digits, epochs=1, batch_size=100)
    chex.assert_trees_all_equal(state.variables, kept)  # not donated with the new state


def test_members_learn_the_batchs_task_on_the_images_they_are_shown(digits):
    """Shown black images, whatever the batch, they can learn the classes' frequencies alone."""

    def blank(variables, batch, key):
        return jnp.zeros_like(batch.images)

    def final_loss(**settings):
        phases = [regularised(ENSEMBLE, optax.adam(5e-3), **settings)]
        state = training.init(ENSEMBLE.init, phases, digits, [0])
        *_, (_, metrics) = training.fit(phases, state, digits, epochs=8, batch_size=100)
        return float(metrics["loss"][0]) / 2

    assert final_loss() < 0.7
    assert final_loss(shown=blank) > 2.2


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


def test_a_lone_member_is_trained_as_without_decorrelation(digits):
    lone = stacked(models.fc(widths=(16,), feature_block=1), 1)
    states = []
    for make in (decorrelation, regularised):
        phases = [make(lone, optax.adam(5e-3))]
        state = training.init(lone.init, phases, digits, [0], {"strength": [0.05]})
        *_, (state, _) = training.fit(phases, state, digits, epochs=1, batch_size=100)
        states.append(state.variables)
    chex.assert_trees_all_equal(*states)


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


def test_nan_is_not_right():
    assert accuracy(jnp.array([[[jnp.nan, 0.0], [1.0, 0.0]]]), np.array([0, 0])).tolist() == [0.5]


def test_an_epoch_takes_arrays_of_numpy():
    """SGD of rate 1 moves the one weight onto the mean label of its batch."""

    def loss(weights, batch, key, epoch, varied):
        away = weights["params"] - batch.labels.astype(jnp.float32).mean()
        return away**2 / 2, (weights, {})

    phases = [training.Phase(loss, optax.sgd(1.0))]
    opt_states = (phases[0].optimizer.init(jnp.float32(5.0)),)
    state = training.State(
        {"params": jnp.float32(5.0)}, opt_states, jnp.int32(0), jnp.uint32(0), {}
    )
    data = Dataset(np.ones((4, 1), np.float32), np.full(4, 3))
    after, metrics = training.epoch(phases, 1, state, data)
    assert float(after.variables["params"]) == 3.0
    assert float(metrics["loss"]) == 0.5  # 2 squared, halved, then 0 three times
