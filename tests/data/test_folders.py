import itertools

import numpy as np
import pytest

from jaxadv.data.archive import members
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.data.folders import class_index, find
from jaxadv.data.image import decode
from jaxadv.errors import UserError
from tests.data.fixtures import (
    assert_one_line,
    encode,
    folder_members,
    real_data,
    write_members,
    write_tar,
)

CIFAR, MNIST, FASHION = (CATALOGUE[name] for name in ("cifar10", "mnist", "fashion_mnist"))
MEMBERS = folder_members(CIFAR.class_names, (32, 32, 3))


def _assert_canonical(decoded, each=2):
    for dataset in (decoded.train, decoded.test):
        assert dataset.images.shape == (10 * each, 32, 32, 3)
        assert np.bincount(dataset.labels).tolist() == [each] * 10
        # the fixtures draw class k with pixel 20 k, so a wrong order of classes shows
        np.testing.assert_allclose(dataset.images[:, 0, 0, 0], 20 * dataset.labels, atol=3)


def test_classes_keep_the_canonical_order(tmp_path):
    write_members(tmp_path, dict(reversed(MEMBERS.items())))
    decoded = find(tmp_path, CIFAR).read(False)
    _assert_canonical(decoded)
    assert not decoded.jpeg


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
@pytest.mark.parametrize("prefix", ["", "cifar10/"])
def test_an_archive_gives_the_same_arrays_as_the_folder(tmp_path, ending, prefix):
    write_members(tmp_path / "folder", MEMBERS)
    reversed_members = {prefix + name: data for name, data in reversed(MEMBERS.items())}
    write_tar(tmp_path / f"cifar10-png{ending}", reversed_members)
    folder = find(tmp_path / "folder", CIFAR).read(False)
    archive = find(tmp_path, CIFAR).read(False)
    for one, other in zip(folder.train + folder.test, archive.train + archive.test, strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_of_the_classes_are_mixed(tmp_path):
    write_members(tmp_path, folder_members(CIFAR.class_names, (32, 32, 3), each=8))
    labels = find(tmp_path, CIFAR).read(False).train.labels
    assert len(set(labels[:20].tolist())) >= 6


def test_jpeg_is_said(tmp_path):
    write_members(tmp_path, folder_members(CIFAR.class_names, (32, 32, 3), "JPEG"))
    decoded = find(tmp_path, CIFAR).read(False)
    assert decoded.jpeg
    _assert_canonical(decoded)


def test_grey_images_have_one_channel(tmp_path):
    write_members(tmp_path, folder_members(MNIST.class_names, (28, 28)))
    assert find(tmp_path, MNIST).read(False).train.images.shape == (20, 28, 28, 1)


def test_other_files_are_passed_over(tmp_path):
    extra = {"train/cat/._0000.png": b"resource fork", "train/cat/notes.txt": b"x", "README": b"x"}
    write_tar(tmp_path / "cifar10.tar", MEMBERS | extra)
    _assert_canonical(find(tmp_path, CIFAR).read(False))
    write_members(tmp_path / "folder", MEMBERS | extra)
    _assert_canonical(find(tmp_path / "folder", CIFAR).read(False))


def test_folder_names_match_without_case_and_punctuation():
    assert class_index("T-shirt_top", FASHION.class_names) == 0
    assert class_index("ankle boot", FASHION.class_names) == 9
    assert class_index("7", MNIST.class_names) == 7
    assert class_index("plane", CIFAR.class_names) is None


def test_nothing_there_is_not_a_fault(tmp_path):
    for name in ("cifar100.tar.gz", "cifar-100-images.tar", "imagenet.tar", "cifar10.zip"):
        (tmp_path / name).touch()
    (tmp_path / "train").mkdir()
    assert find(tmp_path, CIFAR) is None
    assert find(tmp_path / "absent", CIFAR) is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("train/plane/0000.png", ["'plane'", "airplane, automobile", "rename"]),
        ("train/cat/broken.png", ["train/cat/broken.png", "not a complete PNG"]),
        ("test/dog/small.png", ["test/dog/small.png", "8x8 pixels", "32x32 expected"]),
    ],
)
def test_faulty_pictures_are_named(tmp_path, packed, name, parts):
    data = encode(np.zeros((8, 8, 3), np.uint8)) if "small" in name else b"\x89PNG\r\n\x1a\n12"
    if packed:
        write_tar(tmp_path / "cifar10.tar.gz", MEMBERS | {name: data})
    else:
        write_members(tmp_path, MEMBERS | {name: data})
    with pytest.raises(UserError) as error:
        find(tmp_path, CIFAR).read(False)
    assert_one_line(error, tmp_path, *parts)


def test_a_picture_outside_train_and_test_is_named(tmp_path):
    picture = next(iter(MEMBERS.values()))
    for name in ("validation/cat/0.png", "0.png"):
        write_tar(tmp_path / "cifar10.tar", MEMBERS | {name: picture})
        with pytest.raises(UserError) as error:
            find(tmp_path, CIFAR).read(False)
        assert_one_line(error, "cifar10.tar", name, "train/CLASS/NAME", "remove")


def test_a_missing_test_set_is_named(tmp_path):
    training = {name: data for name, data in MEMBERS.items() if name.startswith("train")}
    write_members(tmp_path, training)
    with pytest.raises(UserError) as error:
        find(tmp_path, CIFAR).read(False)
    assert_one_line(error, f"{tmp_path}: test", "0 images found")


def test_two_archives_are_ambiguous(tmp_path):
    for name in ("cifar10-a.tar", "cifar10-b.tar.gz"):
        write_tar(tmp_path / name, MEMBERS)
    with pytest.raises(UserError) as error:
        find(tmp_path, CIFAR)
    assert_one_line(error, "cifar10-a.tar, cifar10-b.tar.gz", "keep only one")


def test_real_cifar_archive_begins_with_jpeg_airplanes():
    """The first members only: decoding all 60,000 takes a quarter of a minute."""
    path = real_data("cifar10/cifar10-jpeg.tar.xz")
    assert find(path.parent, CIFAR).place == path
    for name, data in itertools.islice(members(path, False, lambda _: True, 1 << 20), 50):
        assert name.startswith("train/airplane/")
        assert decode(data, (32, 32, 3), name)[1]
