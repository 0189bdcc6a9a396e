"""A study's settings in their groups, and how it is found by its name."""

import json
import sys
from types import ModuleType

import pytest

from experiments import decorrelated_pairs
from experiments.frame import study
from experiments.frame.grid import Variant, varied_of
from experiments.frame.settings import options
from jaxadv.configs import differences, flat
from jaxadv.errors import UserError
from tests.studies import refused, tool

SMOKE = decorrelated_pairs.PRESETS["smoke"]


def test_settings_with_some_of_another_value():
    changed = SMOKE.but(seeds=3, first_seed=7, epochs=4, ridge=0.5, dataset="mnist")
    assert changed.seed_list == [7, 8, 9]
    assert (changed.training.epochs, changed.training.ridge) == (4, 0.5)
    assert changed.data.dataset == "mnist"
    assert changed.place == SMOKE.place
    again = changed.but(seeds=8, first_seed=0, epochs=25, ridge=1.2e-4, dataset="digits")
    assert again == SMOKE


def test_a_setting_may_have_a_groups_name():
    """`attacks` is a group and, in it, which attacks there are; the group is never replaced."""
    changed = SMOKE.but(attacks=("pgd",), eps=(0.1,))
    assert changed.attacks.attacks == ("pgd",)
    assert changed.attacks.eps == (0.1,)
    assert changed.attacks.balls == SMOKE.attacks.balls
    assert "attacks" in [each.name for each in options(SMOKE) if each.group == "attacks"]


@pytest.mark.parametrize("name", ["epocs", "training", "direction", "seed_list"])
def test_no_setting_of_a_name(name):
    with pytest.raises(TypeError, match=name):
        SMOKE.but(epochs=3, **{name: 1})


@pytest.mark.parametrize("name", study.names())
def test_every_setting_has_a_name_of_its_own(name):
    """Groups do not show on the command line, nor where two configurations are compared."""
    for preset in study.find(name).presets.values():
        names = [each.name for each in options(preset)]
        assert len(set(names)) == len(names)


def test_what_decides_the_numbers_is_kept_by_group():
    config = SMOKE.but(first_seed=2, seeds=2, preset="smoke").config()
    assert list(config) == ["preset", "seeds", "data", "training", "attacks", "models"]
    assert config["seeds"] == [2, 3]
    assert config["data"] == {"dataset": "digits", "train_examples": 0}
    assert config["training"]["strengths"] == (0.0, 0.05)
    assert config["attacks"]["attacks"] == ("fgsm", "pgd")
    elsewhere = SMOKE.but(first_seed=2, seeds=2, preset="smoke", resume=True, runs_at_once=3)
    assert elsewhere.config() == config


def test_variants_that_are_varied_in_different_scalars():
    same = [Variant("a", {"strength": 0.0}), Variant("b", {"strength": 0.5})]
    assert varied_of(same, [4, 5])["strength"].tolist() == [0.0, 0.0, 0.5, 0.5]
    with pytest.raises(UserError, match="variant c: varies distance, not strength as a does"):
        varied_of([*same, Variant("c", {"distance": 1.0})], [0])
    with pytest.raises(UserError, match="variant d: varies nothing, not strength as a does"):
        varied_of([*same, Variant("d")], [0])


def test_a_study_that_there_is_not():
    with pytest.raises(UserError, match="experiment 'alchemy' is none of decorrelated_pairs, dis"):
        study.find("alchemy")
    assert "frame" not in study.names()


@pytest.mark.parametrize("has", [None, "no study", decorrelated_pairs.STUDY])
def test_a_file_without_a_study_of_its_name(monkeypatch, has):
    monkeypatch.setitem(sys.modules, "experiments.dverge", made := ModuleType("dverge"))
    if has is not None:
        made.STUDY = has
    with pytest.raises(UserError, match=r"experiments/dverge\.py: has no STUDY of that name"):
        study.find("dverge")


def test_every_study_is_listed_with_its_presets(capsys):
    tool()
    printed = " ".join(capsys.readouterr().out.split())
    assert len(study.names()) == 9
    for name in study.names():
        assert name in printed
        assert all(preset in printed for preset in study.find(name).presets)
    assert "plot|merge|page" in printed


def test_a_tool_that_there_is_not(capsys):
    assert "draw: give plot, merge or page" in refused(capsys, tool, "draw")
    said = refused(capsys, tool, "dverge", "--preset", "smoke")
    assert "dverge is a study: python -m experiments.dverge" in said


CONFIG = {"preset": "smoke", "training": {"epochs": 4, "eps": [0.1]}, "data": {"dataset": "digits"}}


def test_what_differs_is_named_by_its_own_name():
    other = json.loads(json.dumps(CONFIG))
    assert differences(CONFIG, other, both=True) == []
    other["training"] |= {"epochs": 5, "more": 1}
    other |= {"preset": "paper", "data": {}}
    apart = [("preset", "smoke", "paper"), ("epochs", 4, 5), ("dataset", "digits", None)]
    assert differences(CONFIG, other) == apart
    assert differences(CONFIG, other, both=True) == [*apart, ("more", None, 1)]
    assert differences(CONFIG, other, besides=("preset", "dataset")) == [("epochs", 4, 5)]
    assert flat(CONFIG) == {"preset": "smoke", "epochs": 4, "eps": [0.1], "dataset": "digits"}
