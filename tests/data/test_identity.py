"""The bare name of a dataset is kept for its published labels."""

from dataclasses import replace

import numpy as np
import pytest

from jaxadv.data import load_dataset
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.data.dataset import Dataset
from jaxadv.data.files import has_published_labels
from jaxadv.data.reader import Decoded
from tests.data.fixtures import (
    REAL_DATA,
    folder_members,
    idx_bytes,
    real_data,
    write_members,
    write_tfds,
)


def write_full(folder, train, test):
    """IDX files of black images with these labels."""
    for stem, labels in (("train", train), ("t10k", test)):
        images = np.zeros((len(labels), 28, 28), np.uint8)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(np.uint8(labels)))


def title(name, folder, source="files"):
    return load_dataset(name, source, folder, progress=False).title


@pytest.mark.parametrize(("name", "known"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_other_labels_under_the_same_names_are_said(tmp_path, name, known):
    """As KMNIST's files: MNIST's names, shapes and counts, every class as large."""
    balanced = np.arange(60_000) % 10
    write_full(tmp_path, balanced, balanced[:10_000])
    assert title(name, tmp_path) == f"{known} files with other labels"


def test_a_smaller_test_set_does_not_hide_it(tmp_path):
    write_full(tmp_path, np.arange(60_000) % 10, np.arange(7))
    assert title("mnist", tmp_path) == "MNIST files with other labels, 60,000 + 7 images"


def test_the_real_files_have_the_bare_title():
    real_data("mnist")
    assert title("mnist", REAL_DATA) == "MNIST"


def test_the_real_labels_shuffled_are_told_by_their_order_alone():
    real_data("mnist")
    splits = load_dataset("mnist", "files", REAL_DATA, progress=False)
    labels = np.random.default_rng(0).permutation(splits.train.labels)
    shuffled = Decoded(Dataset(splits.train.images, labels), splits.test)
    assert has_published_labels("mnist", shuffled, published_order=False)
    assert not has_published_labels("mnist", shuffled, published_order=True)
    labels[0] = (labels[0] + 1) % 10
    assert not has_published_labels("mnist", shuffled, published_order=False)
    exchanged = Decoded(splits.train, Dataset(splits.test.images, 9 - splits.test.labels))
    assert not has_published_labels("mnist", exchanged, published_order=True)


def test_mnists_classes_add_up_to_its_counts():
    entry = CATALOGUE["mnist"]
    assert tuple(map(sum, entry.class_counts)) == entry.counts


def test_image_folders_are_compared_class_by_class(tmp_path, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "cifar10", replace(CATALOGUE["cifar10"], counts=(20, 20)))
    members = folder_members(CATALOGUE["cifar10"].class_names, (32, 32, 3))
    write_members(tmp_path, members)
    assert title("cifar10", tmp_path) == "CIFAR-10"
    (tmp_path / "train/cat/0000.png").rename(tmp_path / "train/dog/0002.png")
    assert title("cifar10", tmp_path) == "CIFAR-10 files with other labels"


def test_tfds_is_compared_class_by_class(tmp_path, monkeypatch):
    write_tfds(tmp_path, "mnist", "3.0.1")  # each class twice, and once
    entry = replace(CATALOGUE["mnist"], counts=(20, 10), class_counts=None)
    monkeypatch.setitem(CATALOGUE, "mnist", entry)
    assert title("mnist", tmp_path, "tfds") == "MNIST"
    uneven = (3, *(2,) * 8, 1), (1,) * 10
    monkeypatch.setitem(CATALOGUE, "mnist", replace(entry, class_counts=uneven))
    assert title("mnist", tmp_path, "tfds") == "MNIST files with other labels"
