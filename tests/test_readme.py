"""The examples of the README and of docs/attacks.md, run as printed."""

import re
from pathlib import Path

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

HERE = Path(__file__).parent.parent
README, ATTACKS = HERE / "README.md", HERE / "docs/attacks.md"
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


def equinox_model():
    return eqx.nn.Sequential(
        [eqx.nn.Lambda(lambda x: x.ravel()), eqx.nn.Linear(64, 10, key=jax.random.key(5))]
    )


def example(page: Path, name: str) -> str:
    found = re.search(rf"<!-- {name}:.*?-->\n```python\n(.*?)```", page.read_text(), re.S)
    assert found is not None
    return found.group(1)


def lines(code: str) -> int:
    return sum(1 for line in code.splitlines() if line.strip())


@pytest.mark.parametrize("kind", MODELS)
def test_one_model_is_attacked_as_printed(kind, capsys):
    code, names = example(ATTACKS, "example"), {"my_model": MODELS[kind]()}
    assert lines(code) <= 10
    exec(code, names)
    x, x_adv = names["x"], names["x_adv"]
    assert float(jnp.abs(x_adv - x).max()) == pytest.approx(0.1, abs=1e-6)
    clean, attacked = re.findall(r"value=([0-9.]+), n=360", capsys.readouterr().out)
    assert float(attacked) > float(clean)


def test_the_matrix_of_four_kinds_of_model_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    models = {kind: make() for kind, make in MODELS.items()}
    models["equinox"] = jax.vmap(equinox_model())
    code = example(README, "matrix")
    assert lines(code) <= 10
    exec(code, {"my_models": models})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["source", "eps", "success", *models]
    assert [line.split()[:2] for line in printed[1:5]] == [[kind, "0.05"] for kind in models]
    assert (tmp_path / "transfer.png").exists()


@pytest.mark.slow
def test_a_pair_is_trained_as_printed(capsys):
    code, names = example(README, "pair"), {}
    assert lines(code) <= 15
    exec(code, names)
    assert capsys.readouterr().out.count("\n") == 20
    assert np.isfinite(names["metrics"]["loss"]).all()
    assert names["metrics"]["loss"].shape == (4,)


def test_the_front_page_is_short():
    assert len(README.read_text().split()) <= 800


def test_every_link_leads_to_a_file():
    for page in [README, *HERE.glob("*.md"), *HERE.glob("docs/**/*.md"), *HERE.glob("*/README.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not link.startswith(("http://", "https://")):
                assert (page.parent / link).exists(), f"{page}: {link}"
