"""Which of several models fools which: by hand on a line of grey images, and misused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxadv
from jaxadv import attacks, transfer
from jaxadv.errors import UserError
from jaxadv.matrix import _program
from jaxadv.results import select

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


def test_radii_are_one_program_and_others_compile_nothing():
    traced = list[object]()

    def counted(eps):
        traced.append(eps)
        return attacks.fgsm(eps)

    models = {name: MODELS[name] for name in ("middle", "low")}
    both = transfer(models, X, Y, counted, eps=[0.01, 0.1])
    times = len(traced)
    again = transfer(models, X, Y, counted, eps=[0.1, 0.2])
    assert len(traced) == times > 0
    assert both.radii == (0.01, 0.1)
    alone = transfer(models, X, Y, attacks.fgsm(0.1))
    for result in (both, again):
        assert rate(result, "middle", "low", eps=0.1) == rate(alone, "middle", "low")
    programs = _program.cache_info().misses
    transfer(models, X, Y, attacks.fgsm(0.2))  # of an attack the radius is traced too
    assert _program.cache_info().misses == programs
    with pytest.raises(UserError, match=r"eps None: give one of 0\.01, 0\.1"):
        both.rate("middle", "low")


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
        with pytest.raises(UserError, match="metric 'rate': give one of transfer_rate"):
            call("rate")
    assert all(isinstance(row["n"], int) for row in result.rows)


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
