"""Attack once, score every way: against attacks and predictions made one by one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import attacks, models
from jaxadv.data import Dataset, evenly_spaced, load_dataset
from jaxadv.ensemble import callables, member, mixed, pathways, predict, stacked
from jaxadv.errors import UserError
from jaxadv.evaluation import craft, each_and_all, evaluate, in_chunks
from jaxadv.losses import squared_errors
from jaxadv.parallel import over_runs

ENSEMBLE = stacked(models.cnn())
EPS = jnp.array([0.0, 0.1])


@pytest.fixture(scope="module")
def data() -> Dataset:
    test = load_dataset("digits").test
    return Dataset(jnp.asarray(test.images[:60]), jnp.asarray(test.labels[:60]))


@pytest.fixture(scope="module")
def variables(data):
    return jax.jit(ENSEMBLE.init)(jax.random.key(0), data.images[:1] / 255.0)


def pgd(eps):
    return attacks.pgd(eps, 0.03, 5)


def evaluated(ensemble, variables, attack, data, key, **settings):
    """`evaluate` of EPS in one program."""
    run = lambda v, data: evaluate(ensemble, v, attack, EPS, data, key, **settings)  # noqa: E731
    return jax.jit(run)(variables, data)


@partial(jax.jit, static_argnames=("members", "chunk", "combine"))
def crafted(variables, members, attack, data, key, chunk=1000, combine="loss"):
    """`craft` in one program."""
    return craft(ENSEMBLE, variables, members, attack, data, key, chunk=chunk, combine=combine)


@pytest.mark.slow
def test_predictions_equal_attacks_made_one_by_one(data, variables):
    key = jax.random.key(7)
    found = evaluated(ENSEMBLE, variables, pgd, data, key, chunk=25)
    assert found.adversarial.shape == (2, 3, 2, 60, 10)
    x = data.images / 255.0
    keys = attacks.example_keys(key, jnp.arange(60))
    one = models.cnn()

    @jax.jit
    def attacked(alone):
        logits = lambda x: one.apply(alone, x)[0].logits  # noqa: E731
        x_adv = pgd(0.1)(attacks.untargeted(logits, data.labels), x, keys)
        return x_adv, jax.nn.softmax(predict(ENSEMBLE, variables)(x_adv))

    for m in (0, 1):
        x_adv, expected = attacked(member(variables, m))
        np.testing.assert_allclose(found.adversarial[1, m], expected, atol=1e-4)
        np.testing.assert_allclose(found.norms[1, m], np.abs(x_adv - x).max((1, 2, 3)), atol=1e-6)


@pytest.mark.slow
def test_chosen_examples_fare_as_they_do_among_all(data, variables):
    """Random starts are keyed by the index in the whole, whatever part of it is attacked."""

    def started(eps):
        return attacks.pgd(eps, 0.03, 2, random_start=True)

    chosen, indices = evenly_spaced(data, 7)
    key = jax.random.key(3)
    whole = evaluated(ENSEMBLE, variables, started, data, key, keep=60)
    few = jax.jit(
        lambda indices: evaluate(
            ENSEMBLE, variables, started, EPS, chosen, key, indices=indices, keep=7
        )
    )
    part = few(indices)
    np.testing.assert_allclose(part.images, whole.images[:, :, indices], atol=1e-6)
    np.testing.assert_allclose(part.adversarial, whole.adversarial[..., indices, :], atol=1e-4)
    other = few(None)
    assert np.abs(other.images - part.images).max() > 0.05
    with pytest.raises(UserError, match="3 indices for 7 examples"):
        craft(ENSEMBLE, variables, (0,), started(0.1), chosen, key, indices=indices[:3])


def test_eps_zero_predicts_what_the_clean_images_do(data, variables):
    found = evaluated(ENSEMBLE, variables, pgd, data, jax.random.key(0))
    for source in range(3):
        np.testing.assert_array_equal(found.adversarial[0, source], found.clean)
    np.testing.assert_array_equal(found.norms[0], 0)


def compilations(log, name):
    """How many programs of this name XLA compiled."""
    return sum(f"Finished XLA compilation of jit({name})" in line for line in log.messages)


def test_a_sweep_of_radii_compiles_once_and_other_radii_not_again(data, variables, caplog):
    @jax.jit
    def swept(eps):
        return evaluate(ENSEMBLE, variables, pgd, eps, data, jax.random.key(0)).adversarial

    with jax.log_compiles(), caplog.at_level("WARNING"):
        made = swept(jnp.linspace(0, 0.1, 8))
        assert compilations(caplog, "swept") == 1
        again = swept(jnp.linspace(0, 0.2, 8))
        assert compilations(caplog, "swept") == 1
    np.testing.assert_array_equal(made[0], again[0])
    assert np.any(made[-1] != again[-1])


def test_a_study_s_sweep_is_one_program_for_all_runs_and_radii(data, caplog):
    keys = jax.random.split(jax.random.key(0), 2)
    init = lambda key: ENSEMBLE.init(key, data.images[:1] / 255.0)  # noqa: E731
    variables = jax.jit(jax.vmap(init))(keys)

    def one(variables):
        eps = jnp.linspace(0, 0.1, 8)
        return evaluate(ENSEMBLE, variables, pgd, eps, data, jax.random.key(0)).adversarial

    with jax.log_compiles(), caplog.at_level("WARNING"):
        assert jax.jit(over_runs(one))(variables).shape[:2] == (2, 8)
    programs = [line for line in caplog.messages if "Finished XLA compilation" in line]
    assert len(programs) == 1, programs


@pytest.mark.parametrize("chunk", [1, 7, 59, 1000])
def test_crafting_does_not_depend_on_the_chunk(data, variables, chunk):
    arguments = variables, (0, 1), pgd(0.1), data, jax.random.key(1)
    whole, parts = (crafted(*arguments, chunk=size) for size in (60, chunk))
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_an_attack_that_wants_a_margin_takes_it_whatever_is_combined(data, variables):
    """A cross-entropy is above 0 everywhere: every image would have won before the first step."""
    x = data.images[:5] / 255.0  # labelled as the network takes them: right before the attack
    few = Dataset(x, jax.jit(predict(ENSEMBLE, variables))(x)[0].argmax(-1))
    attack = attacks.cw(steps=20, searches=2, step_size=0.1, first_constant=10.0)
    made = [
        crafted(variables, (0,), attack, few, jax.random.key(0), combine=combine)
        for combine in ("margin", "loss")
    ]
    assert np.any(made[0] != x)
    np.testing.assert_array_equal(*made)


def test_in_chunks_keeps_order_and_length():
    assert in_chunks(lambda a, b: a * 10 + b, 4, jnp.arange(10), jnp.ones(10)).tolist() == [
        10 * i + 1 for i in range(10)
    ]


def test_measure_sees_the_adversarial_features(data, variables):
    def first_feature(features):
        return {"mean": jnp.mean(features[0])}

    found = evaluated(
        ENSEMBLE, variables, attacks.fgsm, data, jax.random.key(0), measure=first_feature
    )
    assert found.extras["mean"].shape == (2, 3)
    assert float(found.extras["mean"][0, 0]) != float(found.extras["mean"][1, 0])


@pytest.mark.slow
def test_runs_mapped_together_equal_runs_alone(data, variables):
    other = jax.jit(ENSEMBLE.init)(jax.random.key(5), data.images[:1] / 255.0)
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), variables, other)

    def one(v, data):
        return evaluate(ENSEMBLE, v, attacks.fgsm, EPS, data, jax.random.key(0))

    together = jax.jit(over_runs(one))(both, data)
    alone = one(other, data)
    np.testing.assert_allclose(together.adversarial[1], alone.adversarial, atol=1e-5)


def test_sources_are_each_member_and_all():
    assert each_and_all(2) == {"1": (0,), "2": (1,), "all": (0, 1)}
    assert each_and_all(1) == {"1": (0,)}


@pytest.mark.slow
def test_mixed_and_callable_ensembles_are_evaluated_alike(data, variables):
    """Two groups of one member, and two plain functions, against the stacked pair."""
    one = stacked(models.cnn(), 1)
    parts = tuple(jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], variables) for i in (0, 1))
    functions = [
        lambda x, i=i: models.cnn().apply(member(variables, i), x)[0].logits for i in (0, 1)
    ]
    expected = evaluated(ENSEMBLE, variables, attacks.fgsm, data, jax.random.key(0))
    for ensemble, v in ((mixed([one, one]), parts), (callables(functions), ())):
        found = evaluated(ensemble, v, attacks.fgsm, data, jax.random.key(0))
        np.testing.assert_allclose(found.adversarial, expected.adversarial, atol=1e-4)


@pytest.mark.slow
def test_what_is_examined_of_each_example_is_that_of_the_images_alone(data):
    ensemble = pathways(models.dna(2, 2, (5, 4, 3, 4, 5)), models.dna_classifier())
    variables = jax.jit(ensemble.init)(jax.random.key(0), data.images[:1] / 255.0)

    def examine(outputs, images):
        return {"error": squared_errors(outputs, images), "brightness": images.mean((1, 2, 3))}

    settings = {"chunk": 25, "keep": 60, "examine": examine}
    found = evaluated(ensemble, variables, pgd, data, jax.random.key(7), **settings)
    assert found.extras["error"].shape == (2, 3, 2, 60)
    assert found.extras["brightness"].shape == (2, 3, 60)
    apply = jax.jit(ensemble.apply)
    for e in range(2):
        for s in range(3):
            images = np.asarray(found.images)[e, s]
            outputs, _ = apply(variables, images)
            errors = np.mean((outputs.reconstructions - images) ** 2, axis=(2, 3, 4))
            np.testing.assert_allclose(found.extras["error"][e, s], errors, rtol=1e-4)
            np.testing.assert_allclose(
                found.extras["brightness"][e, s], images.mean((1, 2, 3)), rtol=1e-5
            )
