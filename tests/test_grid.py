"""The runs of a cohort: variants by seeds, in one order everywhere."""

import numpy as np
import optax

from experiments.frame import grid
from experiments.frame.grid import Cohort, Variant
from jaxadv.data import load_dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked
from jaxadv.models import fc
from tests.studies import jobs_of

VARIANTS = [
    Variant("a", {"strength": 0.0}, {"length": 1}),
    Variant("b", {"strength": 0.5}, {"length": 2}),
]
SEEDS = [7, 8, 9]
RUNS = [("a", 7), ("a", 8), ("a", 9), ("b", 7), ("b", 8), ("b", 9)]


def test_runs_have_the_order_variants_by_seeds():
    keys = grid.keys_of(Cohort("c", "fc", stacked(fc()), VARIANTS), SEEDS)
    assert [(of["variant"], of["seed"]) for of in keys] == RUNS
    assert keys[4] == {"model": "fc", "variant": "b", "length": 2, "seed": 8}
    assert grid.seeds_of(VARIANTS, SEEDS) == [seed for _, seed in RUNS]
    varied = grid.varied_of(VARIANTS, SEEDS)
    np.testing.assert_array_equal(varied["strength"], [0, 0, 0, 0.5, 0.5, 0.5])
    names = np.asarray([variant for variant, _ in RUNS])
    assert grid.by_variant(names, len(SEEDS)).tolist() == [["a"] * 3, ["b"] * 3]
    assert grid.once_a_variant(np.asarray(SEEDS), 2).tolist() == [seed for _, seed in RUNS]


def test_what_is_trained_has_the_order_of_the_rows():
    words = ("--preset", "smoke", "--first-seed", 7, "--seeds", 2)
    (job,) = jobs_of("decorrelated_pairs", load_dataset("digits"), *words)
    state = job.begun([decorrelation(job.ensemble, optax.sgd(0.1))])
    named = {0.0: "plain", np.float32(0.05): "decorrelated"}
    trained = zip(state.varied["strength"], state.seed, strict=True)
    expected = [(of["variant"], of["seed"]) for of in job.runs()]
    assert [(named[float(strength)], int(seed)) for strength, seed in trained] == expected
    assert expected == [(v, s) for v in ("plain", "decorrelated") for s in (7, 8)]
