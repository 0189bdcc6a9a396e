"""Which of several models fools which: by hand on a line of grey images, and misused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

import jaxadv
from jaxadv import attacks, transfer
from jaxadv.errors import UserError
from jaxadv.results import select
from tests.conftest import COMPILED

# Images of one pixel; a model calls bright, class 1, what lies above its limit.
X = np.float32([[0.2], [0.45], [0.55], [0.8]])
Y = np.array([0, 0, 1, 1])


def above(limit, classes=2):
    normal = jnp.zeros((1, classes)).at[0, :2].set(jnp.array([-1.0, 1.0]))
    away = jnp.where(jnp.arange(classes) < 2, 0.0, -9.0)
    return lambda x: 20 * (x - limit) @ normal + away


MODELS = {"middle": above(0.5), "low": above(0.4), "high": above(0.6)}


def rate(result, *of, **where):
    found = result.rate(*of, **where)
    return None if found is None else found.mean


def test_rates_by_hand():
    """FGSM 0.1 on "middle" moves 0.45 to 0.55 and 0.55 to 0.45: it errs on both, no other."""
    result = transfer(MODELS, X, Y, attacks.fgsm(0.1))
    assert result.success("middle").mean == 0.5
    # 0.55 is wrong for "low" (above 0.4), 0.45 is right: above 0.4 too; for "high" the other way
    assert rate(result, "middle", "low") == 0.5
    assert rate(result, "middle", "high") == 0.5
    # "low" had 0.45 wrong, so of what both had right it keeps its head; "high" had 0.55 wrong
    assert rate(result, "middle", "low", "transfer_rate_clean_correct") == 0.0
    assert rate(result, "middle", "low", "error_rate") == 0.25
    (clean,) = [r for r in result.rows if r["metric"] == "clean_accuracy" and r["target"] == "low"]
    assert clean == {**clean, "value": 0.75, "n": 4}
    (row,) = select(result.rows, metric="transfer_rate", source="middle", target="low")
    assert row["n"] == 2
    assert row["eps"] == 0.1


@pytest.mark.parametrize("make", [attacks.fgsm, lambda eps: attacks.pgd(eps, 0.05, 3)])
def test_radii_are_one_program_and_others_compile_nothing(make):
    models = {name: MODELS[name] for name in ("middle", "low")}
    both = transfer(models, X, Y, make, eps=[0.01, 0.1])
    COMPILED.clear()
    again = transfer(models, X, Y, make, eps=[0.1, 0.2])
    assert COMPILED == []
    transfer(dict(reversed(models.items())), X, Y, make, eps=[0.1, 0.2])
    assert COMPILED != []  # so it would have been seen
    assert both.radii == (0.01, 0.1)
    alone = transfer(models, X, Y, make(0.1))
    for result in (both, again):
        assert rate(result, "middle", "low", eps=0.1) == rate(alone, "middle", "low")
    with pytest.raises(UserError, match=r"eps None: give one of 0\.01, 0\.1"):
        both.rate("middle", "low")


def test_models_and_attacks_are_as_they_stand_now():
    """The same function objects, whose weights and names have changed since the last call."""
    sign, step = jnp.float32(1.0), 0.001

    def model(x):
        return sign * MODELS["middle"](x)

    def attack(eps):
        return attacks.pgd(eps, step, 1, random_start=False)

    def found():
        result = transfer({"model": model, "low": MODELS["low"]}, X, Y, attack, eps=[0.1])
        return result.rows[0]["value"], result.success("model").mean

    assert found() == (1.0, 0.0)
    step = 0.1
    assert found() == (1.0, 0.5)
    sign = -sign
    assert found() == (0.0, 1.0)


class Grey(nnx.Module):
    def __init__(self, limit):
        self.limit = nnx.Param(jnp.float32(limit))

    def __call__(self, x):
        return above(self.limit[...])(x)


class Grid(eqx.Module):
    """Of the kind that cannot be hashed: it holds its arrays."""

    limit: jax.Array

    def __call__(self, x):
        return above(self.limit)(x)


def test_a_module_is_asked_as_it_is_and_after_more_training():
    grey = Grey(0.5)
    grey.eval()
    models = {"grey": grey, "grid": Grid(jnp.float32(0.4))}
    plain = {"grey": above(0.5), "grid": above(0.4)}
    first, expected = (transfer(m, X, Y, attacks.fgsm(0.1)).table() for m in (models, plain))
    assert first == expected
    grey.limit[...] = jnp.float32(0.6)
    moved = transfer(models, X, Y, attacks.fgsm(0.1)).table()
    assert moved == transfer({**plain, "grey": above(0.6)}, X, Y, attacks.fgsm(0.1)).table()
    assert moved != first


def test_a_radius_is_found_as_it_was_given():
    result = transfer(MODELS, X, Y, attacks.fgsm, eps=[2 / 255, 40 / 255])
    assert result.rate("middle", "low", eps=40 / 255) is not None
    for call, words in (
        (lambda: result.rate("middle", "lower", eps=2 / 255), "target 'lower'"),
        (lambda: result.rate("mid", "low", eps=2 / 255), "source 'mid'"),
        (lambda: result.success("low", "rate", eps=2 / 255), "metric 'rate'"),
        (lambda: result.success("low", eps=0.1), r"eps 0\.1: give one of"),
    ):
        with pytest.raises(UserError, match=words):
            call()


def test_lists_are_several_of_one_kind():
    models = {"mid": [above(0.5), above(0.52)], "low": [above(0.4), above(0.42), above(0.44)]}
    result = transfer(models, X, Y, attacks.fgsm(0.1))
    each = [
        [
            r["value"]
            for r in result.rows
            if r["metric"] == "transfer_rate" and (r["source"], r["target"]) == ("mid", "low")
            if r["seed"] == seed
        ]
        for seed in (0, 1)
    ]
    assert [len(values) for values in each] == [3, 3]
    found = result.rate("mid", "low")
    assert found.n == 2
    assert found.mean == pytest.approx(np.mean([np.mean(values) for values in each]))
    assert result.rate("mid", "mid") is not None  # of one to the other
    single = transfer({"a": above(0.5), "b": models["low"]}, X, Y, attacks.fgsm(0.1))
    assert single.rate("a", "b").n == 3


def test_joint_sources_attack_their_models_at_once():
    joint = {"both": ["low", "high"]}
    result = transfer(MODELS, X, Y, attacks.pgd(0.3, 0.1, 5), joint=joint, keep=4)
    assert result.sources == ("middle", "low", "high", "both")
    assert result.images["both"].shape == (1, 1, 4, 1)
    moved = result.images["both"][0, 0]
    wrong = [np.argmax(MODELS[name](moved), -1) != Y for name in ("low", "high")]
    assert result.success("both").mean == np.mean(wrong[0] & wrong[1])
    asked = {r["target"] for r in result.rows if r.get("source") == "both" and "target" in r}
    assert asked == {"middle"}
    lists = {"a": [above(0.5), above(0.52)], "b": [above(0.4), above(0.42)], "c": above(0.6)}
    result = transfer(lists, X, Y, attacks.fgsm(0.1), joint={"ab": ["a", "b"]})
    assert result.success("ab").n == 2
    with pytest.raises(UserError, match=r"joint 'ac': lists of \[1, 2\] functions"):
        transfer(lists, X, Y, attacks.fgsm(0.1), joint={"ac": ["a", "c"]})


def test_targets_are_met_or_not():
    """Of three classes, each wanted once: success is the class that was asked for."""
    models = {"a": above(0.5, 3), "b": above(0.4, 3)}
    result = transfer(models, X, Y, attacks.fgsm(0.1), targets=[1, 1, 0, 2])
    # 0.45 is taken for 1 from 0.55 on, 0.55 for 0; 0.2 and 0.8 lie too far, class 2 farther
    assert result.success("a").mean == 0.5
    assert rate(result, "a", "b") == 0.5  # 0.55 is 1 for "b", 0.45 is no 0
    with pytest.raises(UserError, match="example 1 is to be taken for its own class, 0"):
        transfer(models, X, Y, attacks.fgsm(0.1), targets=[1, 0, 0, 2])
    with pytest.raises(UserError, match="targets: "):
        transfer(models, X, Y, attacks.fgsm(0.1), targets=[1, 1, 0, 3])


def test_table_plot_and_rows(tmp_path):
    result = transfer(MODELS, X, Y, attacks.fgsm, eps=[0.01, 0.1])
    lines = result.table().splitlines()
    assert lines[0].split() == ["source", "eps", "success", "middle", "low", "high"]
    assert len(lines) == 1 + 2 * 3
    assert lines[4].split() == ["middle", "0.1", "0.500", "–", "0.500", "0.500"]
    result.plot(tmp_path / "matrix.png", eps=0.1)
    assert Image.open(tmp_path / "matrix.png").size[0] > 300
    for call in (result.table, lambda m: result.plot(tmp_path / "x.png", m, eps=0.1)):
        with pytest.raises(UserError, match="metric 'rate': choose one of transfer_rate"):
            call("rate")
    assert all(isinstance(row["n"], int) for row in result.rows)


@pytest.mark.filterwarnings("ignore:.*not finite")
def test_of_several_models_one_that_diverged_makes_its_rate_unknown():
    """The mean over the others would be another ensemble's."""
    low = [above(0.4), lambda x: above(0.4)(x) * jnp.nan]
    result = transfer({"middle": [above(0.5), above(0.52)], "low": low}, X, Y, attacks.fgsm(0.1))
    assert result.rate("middle", "low") is None


@pytest.mark.filterwarnings("ignore:.*not finite")
def test_a_model_that_diverged_has_no_rates():
    models = {"middle": above(0.5), "lost": lambda x: above(0.4)(x) * jnp.nan}
    result = transfer(models, X, Y, attacks.fgsm(0.1))
    assert result.rate("middle", "lost") is None
    (row,) = select(result.rows, metric="transfer_rate", source="middle", target="lost")
    assert row["value"] is None
    assert row["n"] == 2


@pytest.mark.parametrize(
    ("models", "settings", "words"),
    [
        ({}, {}, "models: give names to functions"),
        ([above(0.5)], {}, "models: give names to functions"),
        ({"a": []}, {}, "'a' has no functions"),
        ({"a": 3}, {}, "int"),
        (MODELS, {"joint": {"low": ["low"]}}, "joint 'low': give it a name of its own"),
        (MODELS, {"joint": {"x": ["low", "lower"]}}, "'lower' is no model; models are middle"),
        (MODELS, {"eps": [0.1]}, "eps beside an attack, which has its own"),
        (MODELS, {"keep": -1}, "keep -1"),
    ],
)
def test_what_will_not_do(models, settings, words):
    with pytest.raises(UserError, match=words):
        transfer(models, X, Y, attacks.fgsm(0.1), **settings)
    with pytest.raises(UserError, match="eps None: give the radii"):
        transfer(MODELS, X, Y, attacks.fgsm)


def test_the_parts_are_there():
    for name in jaxadv.__all__:
        assert getattr(jaxadv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jaxadv.nothing
    assert jax.__name__ not in jaxadv.__all__
