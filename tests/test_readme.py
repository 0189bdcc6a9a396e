"""The README's example, run as printed on three kinds of model."""

import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from flax import nnx

README = Path(__file__).parent.parent / "README.md"
WEIGHTS = jax.random.normal(jax.random.key(3), (64, 10))


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(x.reshape(len(x), -1))


class NNX(nnx.Module):
    def __init__(self):
        self.linear = nnx.Linear(64, 10, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.linear(x.reshape(len(x), -1))


def linen():
    module = Linen()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))
    return lambda x: module.apply(variables, x)


MODELS = {"plain": lambda: lambda x: x.reshape(len(x), -1) @ WEIGHTS, "linen": linen, "nnx": NNX}


def example() -> str:
    found = re.search(r"<!-- example.*?-->\n```python\n(.*?)```", README.read_text(), re.S)
    assert found is not None
    return found.group(1)


def test_it_is_about_ten_lines():
    lines = [line for line in example().splitlines() if line.strip()]
    assert len(lines) <= 10


@pytest.mark.parametrize("kind", MODELS)
def test_the_example_runs_as_printed_and_fools_the_model(kind, capsys):
    names = {"my_model": MODELS[kind]()}
    exec(example(), names)
    x, x_adv = names["x"], names["x_adv"]
    assert float(jnp.abs(x_adv - x).max()) == pytest.approx(0.1, abs=1e-6)
    clean, attacked = re.findall(r"value=([0-9.]+), n=360", capsys.readouterr().out)
    assert float(attacked) > float(clean)
