import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxadv.data import DATASETS, cifar, load_dataset
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.errors import UserError
from tests.data.fixtures import (
    assert_one_line,
    cifar_batches,
    folder_members,
    write_members,
    write_mnist,
    write_tar,
    write_tfds,
)

CLASSES = CATALOGUE["cifar10"].class_names


def _load(name, source="auto", data_dir=None, **options):
    return load_dataset(name, source, data_dir, progress=False, **options)


def test_known_names():
    assert DATASETS == ("digits", "mnist", "fashion_mnist", "cifar10")


def test_digits_need_nothing():
    splits = _load("digits", data_dir="nowhere")
    assert (splits.name, splits.title) == ("digits", "digits 8x8")
    assert splits.source == "embedded (scikit-learn)"
    assert splits.image_shape == (8, 8, 1)
    assert splits.class_names == tuple("0123456789")


def test_image_size_resizes_and_the_title_says_so():
    splits = _load("digits", image_size=28)
    assert splits.train.images.shape == (1437, 28, 28, 1)
    assert splits.test.images.shape == (360, 28, 28, 1)
    assert splits.train.images.dtype == np.uint8
    assert splits.title == "digits 8x8 resized to 28x28"
    plain = _load("digits", image_size=8)
    assert plain.title == "digits 8x8"
    # bilinear resizing keeps the brightness, roughly, and the labels
    assert splits.train.images.mean() == pytest.approx(plain.train.images.mean(), rel=0.05)
    np.testing.assert_array_equal(splits.train.labels, plain.train.labels)


@pytest.mark.parametrize("size", [0, -3, 2.5, "28", True, 5000])
def test_bad_image_sizes_are_named(size):
    with pytest.raises(UserError) as error:
        _load("digits", image_size=size)
    assert_one_line(error, repr(size), "1 to 1024")


def test_an_image_size_of_numpy_is_taken():
    assert _load("digits", image_size=np.int64(16)).image_shape == (16, 16, 1)


@pytest.mark.parametrize("argument", ["data_dir", "cache_dir"])
@pytest.mark.parametrize("folder", [5, "~nobody-of-this-name/data"])
def test_what_is_no_folder_is_named(tmp_path, argument, folder):
    write_mnist(tmp_path)
    with pytest.raises(UserError) as error:
        _load("mnist", **{"data_dir": tmp_path, argument: folder})
    assert_one_line(error, argument, repr(folder), "give a folder")


def test_unknown_names_and_sources():
    with pytest.raises(UserError) as error:
        _load("imagenet")
    assert_one_line(error, "'imagenet'", "digits, mnist, fashion_mnist, cifar10")
    with pytest.raises(UserError) as error:
        _load(["mnist"])
    assert_one_line(error, "['mnist']", "digits, mnist")
    with pytest.raises(UserError) as error:
        _load("mnist", "web")
    assert_one_line(error, "'web'", "auto, files, tfds")
    with pytest.raises(UserError) as error:
        _load("digits", "files")
    assert_one_line(error, "'digits'", "embedded", "'auto'")


@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "."])
def test_files_are_found_in_the_named_folder_and_in_the_data_folder(tmp_path, place):
    arrays = write_mnist(tmp_path / place)
    splits = _load("mnist", data_dir=tmp_path)
    assert splits.source == f"files: {tmp_path / place}"
    assert splits.title == "MNIST, 20 + 10 images"
    np.testing.assert_array_equal(splits.test.images[..., 0], arrays["t10k-images"])


def test_the_named_folder_comes_first(tmp_path):
    write_mnist(tmp_path, seed=5)
    arrays = write_mnist(tmp_path / "mnist")
    splits = _load("mnist", data_dir=str(tmp_path))
    np.testing.assert_array_equal(splits.train.images[..., 0], arrays["train-images"])


def test_data_dir_defaults_to_the_environment_then_to_data(tmp_path, monkeypatch):
    write_mnist(tmp_path / "env" / "mnist")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXADV_DATA", str(tmp_path / "env"))
    assert _load("mnist").source == f"files: {tmp_path / 'env' / 'mnist'}"
    monkeypatch.delenv("JAXADV_DATA")
    with pytest.raises(UserError):
        _load("mnist")
    write_mnist(tmp_path / "data" / "mnist")
    assert _load("mnist").source == f"files: {Path('data/mnist')}"


def test_auto_prefers_files_and_the_source_decides(tmp_path):
    write_mnist(tmp_path / "mnist")
    write_tfds(tmp_path, "mnist", "3.0.1")
    assert _load("mnist", "auto", tmp_path).source.startswith("files: ")
    assert _load("mnist", "files", tmp_path).source.startswith("files: ")
    assert _load("mnist", "tfds", tmp_path).source == "tfds: mnist 3.0.1"


def test_auto_takes_a_prepared_tfds_when_there_are_no_files(tmp_path):
    write_tfds(tmp_path, "mnist", "3.0.1")
    assert _load("mnist", "auto", tmp_path).source == "tfds: mnist 3.0.1"
    with pytest.raises(UserError, match="not found"):
        _load("mnist", "files", tmp_path)


def test_auto_does_not_pass_over_faulty_files(tmp_path):
    write_mnist(tmp_path / "mnist")
    write_tfds(tmp_path, "mnist", "3.0.1")
    (tmp_path / "mnist" / "train-images-idx3-ubyte").write_bytes(b"broken")
    with pytest.raises(UserError, match="train-images-idx3-ubyte"):
        _load("mnist", "auto", tmp_path)


def test_never_another_dataset(tmp_path):
    write_mnist(tmp_path / "mnist")
    with pytest.raises(UserError) as error:
        _load("cifar10", data_dir=tmp_path)
    assert_one_line(
        error,
        "'cifar10' was not found",
        tmp_path / "cifar10",
        Path.home() / "tensorflow_datasets" / "cifar10",
        "--data-dir",
        "JAXADV_DATA",
        "pip install 'jaxadv[tfds]'",
    )


def test_a_data_dir_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UserError) as error:
        _load("mnist", data_dir=tmp_path / "absent")
    assert_one_line(error, tmp_path / "absent", "not a folder", "'mnist'")


def test_unreadable_files_are_one_line(tmp_path, monkeypatch):
    write_mnist(tmp_path)

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(UserError) as error:
        _load("mnist", data_dir=tmp_path)
    assert_one_line(error, "Permission denied", tmp_path, "readable")


def test_fashion_mnist_is_found_where_debian_puts_it(tmp_path, monkeypatch):
    assert CATALOGUE["fashion_mnist"].system_folders == ("/usr/share/datasets/fashion-mnist",)
    system = replace(CATALOGUE["fashion_mnist"], system_folders=(str(tmp_path / "system"),))
    monkeypatch.setitem(CATALOGUE, "fashion_mnist", system)
    write_mnist(tmp_path / "system", compressed=True)
    splits = _load("fashion_mnist")
    assert splits.source == f"files: {tmp_path / 'system'}"
    assert splits.title.startswith("FashionMNIST")
    assert splits.class_names[9] == "Ankle boot"


def test_files_of_another_dataset_are_recognised(tmp_path, monkeypatch):
    arrays = write_mnist(tmp_path)
    crc = zlib.crc32(arrays["train-labels"].tobytes())
    monkeypatch.setitem(CATALOGUE, "mnist", replace(CATALOGUE["mnist"], label_crc=crc))
    assert _load("mnist", data_dir=tmp_path).name == "mnist"
    with pytest.raises(UserError) as error:
        _load("fashion_mnist", data_dir=tmp_path)
    assert_one_line(
        error, tmp_path, "the labels of MNIST found", "FashionMNIST expected", "'mnist'"
    )


def test_jpeg_copies_are_named_and_cached(tmp_path, monkeypatch):
    write_tar(tmp_path / "cifar10-jpeg.tar.xz", folder_members(CLASSES, (32, 32, 3), "JPEG"))
    first = _load("cifar10", data_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert first.title == "CIFAR-10 (JPEG), 20 + 20 images"
    assert first.class_names == CLASSES
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setattr("jaxadv.data.folders.decode", None)  # a second decoding would fail
    second = _load("cifar10", data_dir=tmp_path, cache_dir=tmp_path / "cache")
    assert second.title == first.title
    assert second.source == first.source == f"files: {tmp_path / 'cifar10-jpeg.tar.xz'}"
    np.testing.assert_array_equal(second.train.images, first.train.images)


def test_the_published_counts_give_the_bare_title(tmp_path, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "cifar10", replace(CATALOGUE["cifar10"], counts=(20, 20)))
    write_members(tmp_path / "cifar10", folder_members(CLASSES, (32, 32, 3), "JPEG"))
    assert _load("cifar10", data_dir=tmp_path).title == "CIFAR-10 (JPEG)"


def test_published_batches_come_before_jpeg_copies(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "RECORDS", 4)
    write_tar(tmp_path / "cifar10-jpeg.tar", folder_members(CLASSES, (32, 32, 3), "JPEG"))
    write_tar(tmp_path / "cifar-10-binary.tar.gz", cifar_batches(4, "binary")[0])
    splits = _load("cifar10", data_dir=tmp_path)
    assert splits.title == "CIFAR-10, 20 + 4 images"
    assert splits.source.endswith("cifar-10-binary.tar.gz")
