"""The authors' files of weights as they are downloaded, and made-up ones of the same form."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import decorrelated_pairs, dna, dverge
from experiments.frame.job import Job
from experiments.frame.run import run as run_study
from experiments.frame.study import find
from jaxadv import results
from jaxadv.data import Dataset, Splits
from jaxadv.errors import UserError
from jaxadv.models import load_torch_weights
from jaxadv.models.state_dicts import read_state_dict
from jaxadv.schema import plain
from tests.data.fixtures import REPOSITORY, assert_one_line
from tests.models.test_torch_weights import cnn_state, fc_state
from tests.models.torch_made import save
from tests.studies import jobs_of, settings_of

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


def jobs(study: str, folder: Path, *words: object) -> list[Job]:
    """The study's cohorts, to begin at the networks published in the folder."""
    data = Dataset(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int32))
    splits = Splits("mnist", "MNIST", "files", data, data, tuple("0123456789"))
    words = ("--preset", "paper", "--published", "--published-dir", folder, *words)
    return jobs_of(study, splits, *words)


def state_of(folder: Path, *words: object):
    """The runs that `dverge --published` begins at."""
    (job,) = jobs("dverge", folder, *words)
    return dverge.train(job)


@pytest.mark.parametrize("inside", ["", "classifier_exp", CNNS])
def test_a_clone_is_begun_at(clone, inside):
    state = state_of(clone / inside, "--seeds", "2")
    np.testing.assert_array_equal(state.varied["strength"], np.float32([0, 0, 0.05, 0.05]))
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
    source = "the authors' repository, https://github.com/WANG-AXIS/DNA"
    names = ("cnn_decorrelated_2.npz", "--published-dir", "JAXADV_REFERENCE")
    first = tmp_path / "cnn_plain_1.npz"
    refused(tmp_path, first, source, *names, "docs/published_weights.md")


def test_published_pairs_are_runs_of_both_kinds(reference_dir):
    state = state_of(reference_dir, "--seeds", 2)
    np.testing.assert_array_equal(state.varied["strength"], np.float32([0, 0, 0.05, 0.05]))
    kernel = state.variables["params"]["linear"]["kernel"]
    for run_number, kind in enumerate(("plain", "plain", "decorrelated", "decorrelated")):
        for member in (0, 1):
            there = load_torch_weights(reference_dir / f"cnn_{kind}_{member + 1}.npz", "cnn")
            expected = there["params"]["linear"]["kernel"]
            np.testing.assert_array_equal(kernel[run_number, member], expected)


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
    settings = settings_of("dverge", *words)
    assert settings.place.published_dir == Path("DNA")
    asked = plain(settings.config(), "config")
    config = results.read(REPOSITORY / "results/mnist-dverge-published")["config"]
    for name in ("preset", "seeds"):
        assert asked[name] == config[name]
    for group, name in (
        ("training", "published"),
        ("dverge", "dverge_turns"),
        ("dverge", "dverge_epochs"),
        ("attacks", "pgd_examples"),
    ):
        assert asked[group][name] == config[group][name]


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
    both = jobs("decorrelated_pairs", clone, "--strengths", 0)
    assert [job.cohort.model for job in both] == ["cnn", "fc"]
    for job in both:
        state = decorrelated_pairs.train(job)
        assert state.variables["params"]["linear"]["kernel"].shape[:2] == (5, 2)


@pytest.mark.parametrize(
    ("study", "words", "message"),
    [
        (
            "decorrelated_pairs",
            ["--published", "--models", "fc", "--data", "digits"],
            "--data mnist",
        ),
        ("decorrelated_pairs", ["--published", "--ridge", "0.1"], "trained already"),
        ("decorrelated_pairs", ["--published-dir", "there"], "add --published"),
        ("dna", ["--published"], "--strengths 0.05 --adversarial-epochs 0"),
        ("dna", ["--published-dir", "there"], "add --published"),
    ],
)
def test_what_was_not_published_is_refused_before_data_are_loaded(study, words, message):
    words = ["--preset", "paper", "--data-dir", "nowhere", *words]
    with pytest.raises(UserError) as error:
        run_study(find(study), settings_of(study, *words))
    assert_one_line(error, message)


def test_autoencoders_without_their_files_say_where_they_are(tmp_path):
    both = jobs("dna", tmp_path, "--strengths", 0.05, "--adversarial-epochs", 0)
    for job, name in zip(both, ("dna", "ae"), strict=True):
        with pytest.raises(UserError) as error:
            dna.train(job)
        assert_one_line(error, f"{name}_mnist.npz", "https://github.com/WANG-AXIS/DNA")
