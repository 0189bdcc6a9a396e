"""`compilation.jit`: the same numbers as `jax.jit`, on whatever XLA is installed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import compilation
from jaxadv.compilation import jit


def chain(x):
    for _ in range(3):
        x = jax.nn.relu(x @ x.T)
    return x


def test_programs_compute_what_they_compute_under_jax(rng):
    x = jnp.asarray(rng.normal(size=(64, 64)), jnp.float32)
    expected = jax.jit(chain)(x)
    np.testing.assert_allclose(jit(chain)(x), expected, atol=1e-5 * float(jnp.max(expected)))


def test_other_options_are_those_of_jax_jit():
    assert jit(lambda x, n: x * n, static_argnums=1)(2.0, 3) == 6


@pytest.mark.parametrize("known", [False, True])
def test_an_option_that_xla_does_not_know_is_left_out(monkeypatch, known):
    name = "xla_backend_optimization_level" if known else "xla_cpu_of_another_year"
    monkeypatch.setattr(compilation, "CPU_OPTIONS", {name: 3})
    assert jit(lambda x: x + 1)(1.0) == 2
    assert compilation._known(name, 3) is known


KERNEL = np.float32(np.random.default_rng(0).normal(size=(3, 3, 1, 1)))


def blurred(x):
    """One `lax` convolution, inside a program inside the step."""
    settings = {"padding": "SAME", "dimension_numbers": ("NHWC", "HWIO", "NHWC")}
    return jax.jit(lambda x: jax.lax.conv_general_dilated(x, KERNEL, (1, 1), **settings))(x)


def loops(function, *args):
    return "while" in jax.jit(function).lower(*args).as_text()


@pytest.mark.parametrize(
    ("step", "count", "unrolled"),
    [
        (lambda _, x: blurred(x) / 3, 5, True),
        (lambda _, x: blurred(x) / 3, compilation.UNROLLED + 1, False),
        (lambda _, x: blurred(x + blurred(x)) / 9, compilation.UNROLLED // 2 + 1, False),
        (lambda _, x: jnp.sin(x), 5, False),
        (lambda i, x: x + i, 0, False),
    ],
)
def test_steps_that_hold_convolutions_are_unrolled_on_a_cpu(step, count, unrolled, rng):
    x = jnp.asarray(rng.normal(size=(2, 5, 5, 1)), jnp.float32)
    run = lambda x: compilation.repeated(step, x, count)  # noqa: E731
    if count:
        assert loops(run, x) is not (unrolled and jax.default_backend() == "cpu")
    if count < 10:
        expected = x
        for number in range(count):
            expected = step(number, expected)
        np.testing.assert_allclose(run(x), expected, rtol=1e-5, atol=1e-6)
