"""The authors' published weights, attacked here, against what their own attacks measured."""

import json
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import metrics, models
from jaxadv.attacks import example_keys, fgsm, pgd, untargeted
from jaxadv.data import Dataset
from jaxadv.ensemble import pathways
from jaxadv.evaluation import craft
from jaxadv.models import load_torch_weights

EPS = np.float32([0.05, 0.1, 0.15, 0.2])
# thousands of images and forty steps: here, unlike in the rest of the suite, running takes longest
FULL = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}
optimised = partial(jax.jit, compiler_options=FULL)
# of one step compiling takes longer than running, and emitters make that longer
of_one_step = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 3})
FC_CLEAN, FC_TRANSFER = [0.980, 0.984], [0.487, 0.729, 0.871, 0.938]


def network(architecture):
    """Logits of one architecture as a function of its variables."""
    model = getattr(models, architecture)()
    return lambda variables, x: model.apply(variables, x)[0].logits


@cache
def predict(architecture):
    return of_one_step(lambda variables, x: jnp.argmax(network(architecture)(variables, x), -1))


@cache
def fgsm_of(architecture):
    """`[4, N, …]`: one gradient serves every eps."""

    @of_one_step
    def craft(variables, x, y):
        direction = untargeted(lambda x: network(architecture)(variables, x), y)
        return jax.vmap(lambda eps: fgsm(eps)(direction, x))(EPS)

    return craft


@optimised
def pgd_of_cnn(variables, x, y, eps, keys):
    direction = untargeted(lambda x: network("cnn")(variables, x), y)
    return pgd(eps, 3 / 255)(direction, x, keys)


def pair(folder, architecture, defence):
    files = [folder / f"{architecture}_{defence}_{i}.npz" for i in (1, 2)]
    return [load_torch_weights(file, architecture) for file in files]


def wrong(architecture, members, x, y):
    """`[M, N]` bool."""
    return np.stack([predict(architecture)(v, x) != y for v in members])


def rates(architecture, members, adversarial, y, source):
    """Success, and transfer: P(target wrong | source wrong)."""
    errs = wrong(architecture, members, adversarial, y)
    return np.mean(errs[source]), np.mean(errs[1 - source][errs[source]])


@pytest.mark.slow
@pytest.mark.parametrize("defence", ["plain", "decorrelated"])
@pytest.mark.parametrize(
    ("attack", "images", "tolerance"),
    [
        ("fgsm_linf", 10_000, 0.002),
        ("pgd_linf", 2_000, 0.03),
    ],
)
def test_cnn_pairs(reference_dir, mnist_test, defence, attack, images, tolerance):
    reference = json.loads((reference_dir / "cnn_reference.json").read_text())["pairs"][defence]
    members = pair(reference_dir, "cnn", defence)
    x, y = (jnp.asarray(a[:images]) for a in mnist_test)
    if attack == "fgsm_linf":
        clean = 1 - wrong("cnn", members, x, y).mean(1)
        np.testing.assert_allclose(clean, reference["clean_accuracy"], atol=0.0001)

    rows = [row for row in reference["rows"] if row["attack"] == attack]
    assert len(rows) == 8
    expected = {(r["direction"], r["eps"]): (r["success"], r["transfer_rate"]) for r in rows}
    keys = example_keys(jax.random.key(0), jnp.arange(images))
    for source, direction in enumerate(("1->2", "2->1")):
        if attack == "fgsm_linf":
            crafted = fgsm_of("cnn")(members[source], x, y)
        else:
            crafted = (pgd_of_cnn(members[source], x, y, eps, keys) for eps in EPS[1::2])
        radii = (0.05, 0.1, 0.15, 0.2) if attack == "fgsm_linf" else (0.1, 0.2)
        for eps, adversarial in zip(radii, crafted, strict=True):
            actual = rates("cnn", members, adversarial, y, source)
            np.testing.assert_allclose(actual, expected[direction, eps], atol=tolerance)


@pytest.mark.slow
def test_plain_fc_pair(reference_dir, mnist_test):
    members = pair(reference_dir, "fc", "plain")
    x, y = map(jnp.asarray, mnist_test)
    clean = 1 - wrong("fc", members, x, y).mean(1)
    np.testing.assert_allclose(clean, FC_CLEAN, atol=0.0006)  # given to three digits
    crafted = [fgsm_of("fc")(v, x, y) for v in members]
    transfer = [
        [rates("fc", members, x_adv, y, source)[1] for x_adv in crafted[source]]
        for source in (0, 1)
    ]
    np.testing.assert_allclose(np.mean(transfer, axis=0), FC_TRANSFER, atol=0.002)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("combine", "some", "either"),
    [("loss", 0.590, 0.245), ("squares", 0.638, 0.295)],
)
def test_dna(reference_dir, mnist_test, combine, some, either):
    """PGD at 0.05 on both pathways, 2,000 images: `min` stands in the study's results."""
    x, y = (jnp.asarray(a[:2000]) for a in mnist_test)
    ensemble = pathways(models.dna(), models.dna_classifier())
    variables = {
        "autoencoder": load_torch_weights(reference_dir / "dna_mnist.npz", "dna"),
        "classifier": load_torch_weights(
            reference_dir / "dna_mnist_classifier.npz", "dna_classifier"
        ),
    }
    attack, data = pgd(0.05, 3 / 255, random_start=False), Dataset(x, y)
    options = {"combine": combine}
    images = optimised(
        lambda v: craft(ensemble, v, (0, 1), attack, data, jax.random.key(0), **options)
    )(variables)
    outputs, _ = jax.jit(ensemble.apply)(variables, images)
    errors = np.mean((outputs.reconstructions - images) ** 2, axis=(2, 3, 4))
    rates = metrics.pathway_rates(metrics.wrong(outputs.logits, y), errors)
    assert rates["any_correct"].value == pytest.approx(some, abs=0.02)
    assert rates["either_correct"].value == pytest.approx(either, abs=0.03)
