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
