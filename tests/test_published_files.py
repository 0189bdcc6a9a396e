"""The authors' files of weights as they are downloaded, and made-up ones of the same form."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import cli, decorrelated_pairs, dna, dverge
from jaxadv import results
from jaxadv.data import Dataset, Splits
from jaxadv.ensemble import stacked
from jaxadv.errors import UserError
from jaxadv.models import cnn, fc
from jaxadv.models.state_dicts import read_state_dict
from tests.data.fixtures import REPOSITORY, assert_one_line
from tests.models.test_torch_weights import cnn_state, fc_state
from tests.models.torch_made import save

PAGE = (REPOSITORY / "docs/published_weights.md").read_text("utf-8")
CNNS = "classifier_exp/saved_models/CNN"
THEIRS = {
    **{f"cnn_plain_{n}": f"{CNNS}/cor{n}" for n in (1, 2)},
    **{f"cnn_decorrelated_{n}": f"{CNNS}/dec{n}" for n in (1, 2)},
    **{f"fc_plain_{n}": f"classifier_exp/saved_models/FC/cor{n}" for n in (1, 2)},
    "dna_mnist": "DNA_exp/mnist_exp/models/dna",
    "dna_mnist_classifier": "DNA_exp/mnist_exp/models/cls_dna",
}


@pytest.fixture
def clone(rng, tmp_path) -> Path:
    """A clone of the authors' repository, as far as its CNN pairs go, with other weights."""
    (tmp_path / "DNA" / CNNS).mkdir(parents=True)
    for name in ("cor1", "cor2", "dec1", "dec2"):
        save(tmp_path / "DNA" / CNNS / name, cnn_state(rng))
    return tmp_path / "DNA"


def state_of(folder: Path, *words: str):
    """The runs that `dverge --published` begins at."""
    words = ("--preset", "paper", "--published", "--published-dir", str(folder), *words)
    settings = cli.parse("dverge", dverge.PRESETS, words)
    data = Dataset(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int32))
    splits = Splits("mnist", "MNIST", "files", data, data, tuple("0123456789"))
    return decorrelated_pairs.train_pairs(settings, "cnn", stacked(cnn()), splits.train, folder)


@pytest.mark.parametrize("inside", ["", "classifier_exp", CNNS])
def test_a_clone_is_begun_at(clone, inside):
    state = state_of(clone / inside, "--seeds", "2")
    np.testing.assert_array_equal(state.settings["strength"], np.float32([0, 0, 0.05, 0.05]))
    kernel = state.variables["params"]["linear"]["kernel"]
    assert kernel.shape == (4, 2, 32, 10)
    for run, kind in ((0, "cor"), (1, "cor"), (2, "dec"), (3, "dec")):
        for member in (0, 1):
            there = read_state_dict(clone / CNNS / f"{kind}{member + 1}")["l.weight"]
            np.testing.assert_array_equal(kernel[run, member], there.T)


def test_files_of_our_names_are_begun_at_alike(clone, tmp_path):
    for ours, theirs in THEIRS.items():
        if ours.startswith("cnn"):
            np.savez(tmp_path / f"{ours}.npz", **read_state_dict(clone / theirs))
    there, here = (state_of(folder).variables["params"] for folder in (clone, tmp_path))
    for layer in ("conv1", "conv2", "conv3", "linear"):
        for name in ("kernel", "bias"):
            np.testing.assert_array_equal(here[layer][name], there[layer][name])


def test_one_kind_needs_the_files_of_one_kind(clone):
    for name in ("dec1", "dec2"):
        (clone / CNNS / name).unlink()
    assert state_of(clone, "--strengths", "0").variables["params"]["linear"]["bias"].shape[0] == 5
    refused(clone, clone / CNNS / "dec1", "no such file")


def refused(folder: Path, *parts: object) -> None:
    with pytest.raises(UserError) as error:
        state_of(folder)
    assert_one_line(error, *parts)


def test_a_folder_without_them_says_where_they_are(tmp_path):
    refused(tmp_path, tmp_path, "https://github.com/WANG-AXIS/DNA", "docs/published_weights.md")


def test_a_file_that_is_another_thing_is_named(clone):
    (clone / CNNS / "cor2").write_bytes(b"\n\n<!DOCTYPE html>\n<html>")
    refused(clone, clone / CNNS / "cor2", "a web page", "raw")


def test_the_page_names_every_file():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    for ours, theirs in THEIRS.items():
        folder, _, name = theirs.rpartition("/")
        row = next(line for line in rows if f"`{ours}.npz`" in line)
        assert f"`{folder}/" in row
        assert name in row


def test_the_pages_command_is_that_of_the_committed_results():
    command = re.search(r"python -m experiments\.dverge (.*?)\n```", PAGE, re.DOTALL)
    words = command[1].replace("\\\n", "").split()
    settings = cli.parse("dverge", dverge.PRESETS, words)
    assert settings.published_dir == Path("DNA")
    config = results.read(REPOSITORY / "results/mnist-dverge-published")["config"]
    for name in ("preset", "seeds", "published", "dverge_turns", "dverge_epochs", "pgd_examples"):
        assert settings.config()[name] == config[name]


@pytest.mark.parametrize("ours", THEIRS)
def test_the_authors_files_are_ours_to_the_bit(reference_dir, ours):
    folder = os.environ.get("JAXADV_DNA")
    if not folder:
        pytest.skip("no clone of the authors' repository; set JAXADV_DNA to its folder")
    here = read_state_dict(reference_dir / f"{ours}.npz")
    there = read_state_dict(Path(folder) / THEIRS[ours])
    assert set(here) == set(there)
    for name, value in there.items():
        assert value.dtype == here[name].dtype
        assert value.tobytes() == here[name].tobytes()


def test_pairs_of_every_architecture_are_attacked_as_they_are(rng, clone):
    folder = clone / "classifier_exp/saved_models/FC"
    folder.mkdir()
    for name in ("cor1", "cor2"):
        save(folder / name, {k: v for k, v in fc_state(rng).items() if "tracked" not in k})
    words = ("--preset", "paper", "--published", "--published-dir", str(clone), "--strengths", "0")
    settings = cli.parse("decorrelated_pairs", decorrelated_pairs.PRESETS, words)
    data = Dataset(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int32))
    for name, model in {"cnn": cnn(), "fc": fc()}.items():
        state = decorrelated_pairs.train_pairs(settings, name, stacked(model), data, clone)
        assert state.variables["params"]["linear"]["kernel"].shape[:2] == (5, 2)


@pytest.mark.parametrize(
    ("study", "words", "message"),
    [
        (decorrelated_pairs, ["--published", "--models", "fc", "--data", "digits"], "--data mnist"),
        (decorrelated_pairs, ["--published", "--ridge", "0.1"], "trained already"),
        (decorrelated_pairs, ["--published-dir", "there"], "add --published"),
        (dna, ["--published"], "--strengths 0.05 --adversarial-epochs 0"),
        (dna, ["--published-dir", "there"], "add --published"),
    ],
)
def test_what_was_not_published_is_refused_before_data_are_loaded(study, words, message):
    settings = cli.parse(study.STUDY, study.PRESETS, ["--preset", "paper", *words])
    with pytest.raises(UserError) as error:
        study.study(settings)
    assert_one_line(error, message)


def test_autoencoders_without_their_files_say_where_they_are(tmp_path):
    words = ["--preset", "paper", "--published", "--published-dir", str(tmp_path)]
    words += ["--strengths", "0.05", "--adversarial-epochs", "0"]
    settings = cli.parse("dna", dna.PRESETS, words)
    data = Dataset(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int32))
    splits = Splits("mnist", "MNIST", "files", data, data, tuple("0123456789"))
    for network, name in zip(dna.networks(settings), ("dna", "ae"), strict=True):
        with pytest.raises(UserError) as error:
            dna.trained(settings, network, splits, tmp_path)
        assert_one_line(error, f"{name}_mnist.npz", "https://github.com/WANG-AXIS/DNA")
