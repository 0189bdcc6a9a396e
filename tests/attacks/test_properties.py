"""What holds for every attack, on random images, bounds, radii, types and objectives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxadv.attacks import example_keys
from tests.attacks.made import perturbation_norms
from tests.attacks.properties import Case, N, cases, chosen, objective, run

# The same examples in every run: what fails once fails again.
quick, long = (
    settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    for count in (40, 500)
)
CHECKS = st.sampled_from(["parts", "order", "eager", "outside", "still"])
NUMBERS = itertools.count()
ROUNDING = 1e-7  # of the size of the bounds


def crafted(case: Case, x, eps=None, order=slice(None)):
    """Images and flags for some of the case's images, in float64, in one program."""
    attack, indices = case.made(eps), np.arange(N)[order]
    if case.attack != "cw":
        given_ = np.broadcast_to(np.float32(attack.eps), N)[order]
        attack = type(attack)(
            given_,
            np.broadcast_to(np.float32(attack.step_size), N)[order],
            attack.steps,
            attack.ball,
            attack.transform,
            attack.random_start,
            attack.bounds,
        )
    key = jax.random.key(case.seed)
    given_ = chosen(case.given(), order)
    images, flags = run(attack, case.objective, given_, x[order], key, indices)
    assert images.dtype == np.float32
    return np.asarray(images, np.float64), flags


def check_kept(case: Case, x, made, outside=False):
    """Finite, in the ball, and in the bounds wherever the images were."""
    before = np.asarray(x, np.float64)
    assert np.all(np.isfinite(made))
    low, high = (np.float32(limit).astype(np.float64) for limit in case.limits)
    assert np.all((made >= np.minimum(low, before)) & (made <= np.maximum(high, before)))
    if case.attack != "cw":
        norms = perturbation_norms(made, before, case.made().ball.name)
        size = max(case.size, np.max(np.abs(before)))
        assert np.all(norms <= np.asarray(case.eps, np.float64) + ROUNDING * size)


def check_same(case: Case, made, expected):
    """Equal but for rounding, which each step of several may enlarge, and Adam's most of all."""
    low, high = case.limits
    apart = np.abs(made - expected) / np.max(high - low)
    assert np.max(apart) <= (1e-5 if case.steps == 1 and case.attack != "cw" else 2e-3)


def eager(case: Case, x):
    keys = example_keys(jax.random.key(case.seed), jnp.arange(N))
    images = case.made()(objective(case.objective, case.given()), x, keys)
    return np.asarray(images, np.float64)


@pytest.mark.filterwarnings("ignore:.* examples had")
def check(case: Case, what: str):
    x = case.images(outside=what == "outside")
    made, flags = crafted(case, x)
    check_kept(case, x, made)
    if case.dtype == "float32":
        low, high = (np.float32(limit) for limit in case.limits)
        outside = np.any((np.asarray(x) < low) | (np.asarray(x) > high), axis=(1, 2, 3))
        np.testing.assert_array_equal(flags.outside, outside)
    if what == "parts":
        check_same(case, crafted(case, x, order=slice(0, 2))[0], made[:2])
    if what == "order":
        order = np.random.default_rng(case.seed).permutation(N)
        check_same(case, crafted(case, x, order=order)[0], made[order])
    if what == "eager":
        check_same(case, eager(case, x), made)
    if what == "still" and case.attack != "cw":
        same = crafted(case, x, eps=0.0)[0]
        np.testing.assert_array_equal(same, np.asarray(x, np.float64))


@pytest.mark.slow
@quick
@given(cases(), CHECKS)
def test_attacks_keep_their_promises(case, what):
    check(case, what)


@pytest.mark.slow
@long
@given(cases(), CHECKS)
def test_attacks_keep_their_promises_on_many(case, what):
    if next(NUMBERS) % 50 == 0:  # a process may map so much code and no more, and then dies
        jax.clear_caches()
    check(case, what)
