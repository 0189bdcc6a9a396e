"""Numbers that could only fail late, or be another number than was typed, are refused at once."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import decorrelated_pairs
from experiments.frame import study
from experiments.frame.run import run
from experiments.frame.settings import Settings, groups, options
from experiments.frame.trials import Trial
from jaxadv import memory, processes, training
from jaxadv.data import load_dataset
from jaxadv.defences import regularised
from jaxadv.ensemble import stacked
from jaxadv.errors import UserError
from jaxadv.models import fc
from tests.studies import settings_of

FLOATS = ("-1", "nan", "inf", "1e300", "1e-50", "1e16")
WHOLE = ("-1", "4294967296", "9" * 30, "9" * 400, "9" * 5000, "1.5")


def numbers(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every option of a study that takes numbers, with what it must refuse."""
    settings = study.find(name).presets["smoke"]
    holders = {"": settings, **{group: getattr(settings, group) for group in groups(settings)}}
    hints = {group: get_type_hints(type(holder)) for group, holder in holders.items()}
    kinds = {each.typed: str(hints[each.group][each.name]) for each in options(settings)}
    return [
        (typed, FLOATS if "float" in kind else WHOLE)
        for typed, kind in kinds.items()
        if "float" in kind or "int" in kind
    ]


def refusal(name: str, *words: str) -> str:
    with pytest.raises(UserError) as error:
        settings_of(name, "--preset", "smoke", *words)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 300
    return line


@pytest.mark.slow
@pytest.mark.parametrize("name", study.names())
def test_every_number_of_every_study(name):
    asked = numbers(name)
    assert len(asked) > 10
    for option, values in asked:
        for value in values:
            assert option in refusal(name, option, value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--eps 1e300", "--eps 1e+300: give a number from 0 to 1e+15"),
        ("--eps 1e-45", "--eps 1e-45: is 0 in float32; give 0, or at least 1.2e-38"),
        ("--pgd-steps 99999999999", "--pgd-steps 99999999999: give a whole number from 1 to"),
        ("--pgd-steps 0", "--pgd-steps 0: give a whole number from 1"),
        ("--seeds 2000000000", "--seeds 2000000000: the weights of so many take"),
        ("--seeds 3 --first-seed 4294967294", "--first-seed 4294967294: with --seeds 3"),
        ("--sketch-width 100000", "--sketch-width 100000: give a whole number from 0 to 65536"),
        ("--eps 0.1 0.1", "--eps 0.1 0.1: name each once"),
        ("--eps 0.1 0.1000000001", "name each once"),  # one number in float32
        ("--eps 0.1 0.10000001", "name each once"),  # maybe one in l2, times sqrt(pixels)
        ("--strengths 0.1 0.10000001", "name each once"),  # one name in the rows
        ("--data imagenet", "--data imagenet: choose one of digits, mnist"),
    ],
)
def test_what_is_refused_and_why(words, said):
    assert said in refusal("decorrelated_pairs", *words.split())


@pytest.mark.parametrize("option", ["--cw-step-size", "--cw-first-constant"])
def test_nothing_where_nothing_would_move(option):
    assert f"{option} 0.0: give a number above 0" in refusal("gradient_alignment", option, "0")


def test_options_are_named_as_typed():
    names = {each.name: each.typed for each in options(Settings())}
    assert names["from_dir"] == "--from"
    assert names["dataset"] == "--data"
    assert names["save_adversarial"] == "--save-adversarial"


class TrainingBegins(Exception):
    """All that can be refused beforehand was not."""


def begun(name: str, out: Path, words: str) -> None:
    """A run up to its first training."""

    def train(_: object) -> None:
        raise TrainingBegins

    settings = settings_of(name, "--preset", "smoke", "--out", out, *words.split())
    run(replace(study.find(name), train=train), settings)


PAIRS = "decorrelated_pairs"


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        (PAIRS, "--batch-size 1438", "--batch-size 1438: there are 1437 training images"),
        (PAIRS, "--train-examples 1438", "--train-examples 1438: digits 8x8 has 1437"),
        (PAIRS, "--save-adversarial 121", "--save-adversarial 121: 120 images are"),
        (PAIRS, "--attacks fgsm --save-adversarial 361", "360 images are attacked"),
        (PAIRS, "--data-dir nowhere --data mnist", "--data-dir nowhere: no folder"),
        ("dna", "--classifier-batch-size 1438", "--classifier-batch-size 1438: there are 1437"),
        ("dna", "--train-examples 50", "--batch-size 72: there are 50 training images"),
    ],
)
def test_more_images_than_there_are(tmp_path, name, words, said):
    with pytest.raises(UserError) as error:
        begun(name, tmp_path, words)
    assert said in str(error.value)


def test_as_many_images_as_there_are(tmp_path):
    for words in (
        "--pgd-examples 360 --save-adversarial 360",
        "--pgd-examples 0 --batch-size 1437",
        "--pgd-examples 2000 --save-adversarial 360",  # more than there are is all
    ):
        with pytest.raises(TrainingBegins):
            begun(PAIRS, tmp_path, words)


def test_rows_tell_radii_apart_that_float32_does():
    given = [1e-7, 2e-7, 0.1, np.nextafter(np.float32(0.1), np.float32(1)), 8 / 255, 0.05, 3e-39]
    trial = Trial("pgd", "linf", lambda eps: eps, np.asarray(given, np.float32))
    told = [trial.at(number)["eps"] for number in range(len(given))]
    assert told == [1e-7, 2e-7, 0.1, 0.10000001, 0.03137255, 0.05, 3e-39]
    assert [np.float32(value) for value in told] == trial.radii.tolist()
    assert json.loads(json.dumps(told)) == told


def test_l2_radii_of_the_studies_are_as_results_have_them():
    for pixels, radii in ((784, [1.4, 2.8, 4.2, 5.6]), (64, [0.4, 0.8, 1.2, 1.6])):
        splits = SimpleNamespace(test=SimpleNamespace(images=np.zeros((1, pixels))))
        trials = decorrelated_pairs.trials(decorrelated_pairs.PRESETS["paper"], splits)
        wide = next(trial for trial in trials if trial.ball == "l2")
        assert [wide.at(number)["eps"] for number in range(4)] == radii


def test_states_beyond_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(memory, "_memory", lambda: 10 << 20)
    network, data = stacked(fc(10)), load_dataset("digits").train
    phases = [regularised(network, optax.adam(1e-3))]
    with pytest.raises(UserError) as error:
        training.init(network.init, phases, data, list(range(3)))
    assert "3 runs of 10.3 MiB" in str(error.value)
    assert "--seeds" in str(error.value)


def test_a_state_in_memory_passes():
    run = {"w": jax.ShapeDtypeStruct((1024,), jnp.float32)}
    assert memory.check_memory(run, 10) is None


JOINED = {
    "JAX_COORDINATOR_ADDRESS": "127.0.0.1:1234",
    "JAX_NUM_PROCESSES": "2",
    "JAX_PROCESS_ID": "1",
}


def test_what_processes_are_joined_by():
    assert processes._joined_by(JOINED) == ("127.0.0.1:1234", 2, 1)
    assert processes._joined_by({**JOINED, "JAX_COORDINATOR_ADDRESS": "[::1]:80"})[0] == "[::1]:80"
    assert processes._joined_by({}) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *(
            ("JAX_COORDINATOR_ADDRESS", value, "host:port")
            for value in ("127.0.0.1", "host:", ":1", "host:port", "host:0", "host:65536", "a b:1")
        ),
        *(("JAX_NUM_PROCESSES", value, "give 1 or more") for value in ("0", "-1", "two", "9" * 20)),
        *(
            ("JAX_PROCESS_ID", value, "numbers are 0 to 1")
            for value in ("2", "-1", "1.0", "\u0661")
        ),
        *((name, "", f"{name} is not set") for name in JOINED),
    ],
)
def test_what_no_processes_are_joined_by(monkeypatch, name, value, said):
    for each, good in JOINED.items():
        monkeypatch.setenv(each, value if each == name else good)
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_: pytest.fail("joined"))
    with pytest.raises(UserError, match=said) as error:
        processes.join_processes()
    assert str(error.value).startswith(f"--distributed: {name} is")


def test_processes_that_do_not_answer(monkeypatch):
    for name, value in JOINED.items():
        monkeypatch.setenv(name, value)

    def silent(*_: object) -> None:
        raise RuntimeError("DEADLINE_EXCEEDED:\nbarrier timed out")

    monkeypatch.setattr(jax.distributed, "initialize", silent)
    with pytest.raises(UserError, match=r"could not be joined.*127\.0\.0\.1:1234"):
        processes.join_processes()
