import pickle

import numpy as np
import pytest

from jaxadv.data import cifar
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, cifar_batches, write_members, write_tar
from tests.data.test_unpickle import Evil

CIFAR = CATALOGUE["cifar10"]
RECORDS = 4
ARCHIVES = {"binary": "cifar-10-binary.tar.gz", "python": "cifar-10-python.tar.gz"}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(cifar, "RECORDS", RECORDS)


def _assert_decoded(decoded, images, labels):
    n = 5 * RECORDS
    np.testing.assert_array_equal(decoded.train.images, images[:n])
    np.testing.assert_array_equal(decoded.test.images, images[n:])
    np.testing.assert_array_equal(decoded.train.labels, labels[:n])
    np.testing.assert_array_equal(decoded.test.labels, labels[n:])
    assert not decoded.jpeg


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_unpacked_batches(tmp_path, layout):
    batches, images, labels = cifar_batches(RECORDS, layout)
    write_members(tmp_path, batches)
    reader = cifar.find(tmp_path, CIFAR)
    _assert_decoded(reader.read(False), images, labels)
    assert not reader.slow
    inner = tmp_path / next(iter(batches)).split("/")[0]  # data_dir may be that folder itself
    _assert_decoded(cifar.find(inner, CIFAR).read(False), images, labels)


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_archives(tmp_path, layout):
    batches, images, labels = cifar_batches(RECORDS, layout)
    shuffled = dict(reversed(batches.items())) | {"cifar-10-batches-bin/readme.html": b"hello"}
    write_tar(tmp_path / ARCHIVES[layout], shuffled)
    reader = cifar.find(tmp_path, CIFAR)
    assert reader.slow
    assert reader.place == tmp_path / ARCHIVES[layout]
    _assert_decoded(reader.read(False), images, labels)


@pytest.mark.parametrize("layout", ["binary", "python"])
@pytest.mark.parametrize("ending", [".tar", ".tgz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("stem", ["cifar-10-{}", "cifar10-batches", "CIFAR-10-{} (1)"])
def test_archives_packed_and_named_otherwise(tmp_path, layout, ending, stem):
    batches, images, labels = cifar_batches(RECORDS, layout)
    others = {"cifar-10-batches/batches.meta": b"x", "cifar-10-batches/readme.html": b"x"}
    path = tmp_path / (stem.format(layout) + ending)
    write_tar(path, others | batches)
    reader = cifar.find(tmp_path, CIFAR)
    assert reader.place == path
    _assert_decoded(reader.read(False), images, labels)


def test_a_gz_unpacked_under_its_old_name(tmp_path):
    batches, images, labels = cifar_batches(RECORDS, "python")
    write_tar(tmp_path / "plain.tar", batches)
    (tmp_path / "plain.tar").rename(tmp_path / "cifar-10-python.tar.gz")
    _assert_decoded(cifar.find(tmp_path, CIFAR).read(False), images, labels)


def test_archives_of_pictures_and_of_cifar_100_are_not_of_batches(tmp_path):
    write_tar(tmp_path / "cifar10.tar", {"train/cat/0.png": b"x"})
    write_tar(tmp_path / "cifar-100-python.tar.gz", cifar_batches(RECORDS, "python")[0])
    (tmp_path / "cifar10-broken.tgz").write_bytes(b"x")
    assert cifar.find(tmp_path, CIFAR) is None


def test_a_batch_pickled_with_string_keys(tmp_path):
    batches, images, labels = cifar_batches(RECORDS, "python")
    for name, data in batches.items():
        content = {key.decode(): value for key, value in pickle.loads(data).items()}
        batches[name] = pickle.dumps(content, protocol=4)
    write_members(tmp_path, batches)
    _assert_decoded(cifar.find(tmp_path, CIFAR).read(False), images, labels)


def test_nothing_there_is_not_a_fault(tmp_path):
    assert cifar.find(tmp_path, CIFAR) is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_missing_batch_is_named(tmp_path, packed):
    batches, _, _ = cifar_batches(RECORDS, "binary")
    del batches["cifar-10-batches-bin/data_batch_3.bin"]
    if packed:
        write_tar(tmp_path / ARCHIVES["binary"], batches)
    else:
        write_members(tmp_path, batches)
    with pytest.raises(UserError) as error:
        cifar.find(tmp_path, CIFAR).read(False)
    assert_one_line(error, tmp_path, "data_batch_3.bin is missing", "download it again")


def test_a_short_binary_batch_is_named(tmp_path):
    batches, _, _ = cifar_batches(RECORDS, "binary")
    batches["cifar-10-batches-bin/test_batch.bin"] = bytes(3073 * (RECORDS - 1))
    write_members(tmp_path, batches)
    with pytest.raises(UserError) as error:
        cifar.find(tmp_path, CIFAR).read(False)
    found, expected = 3073 * (RECORDS - 1), 3073 * RECORDS
    assert_one_line(error, "test_batch.bin", f"{found} bytes", f"{expected} expected", "again")


def test_a_label_out_of_range_is_named(tmp_path):
    batches, _, _ = cifar_batches(RECORDS, "binary")
    batches["cifar-10-batches-bin/data_batch_2.bin"] = b"\x0b" + bytes(3073 * RECORDS - 1)
    write_members(tmp_path, batches)
    with pytest.raises(UserError) as error:
        cifar.find(tmp_path, CIFAR).read(False)
    assert_one_line(error, "data_batch_2.bin", "label 11 at index 0", "0..9")


PIXELS = np.zeros((RECORDS, 3072), np.uint8)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({b"labels": [0] * RECORDS}, ["no 'data' found"]),
        ({b"data": PIXELS}, ["no 'labels' found"]),
        ([1, 2], ["no 'data' found", "dictionary"]),
        ({b"data": PIXELS[:2], b"labels": [0] * RECORDS}, ["(2, 3072)", "(4, 3072) expected"]),
        ({b"data": PIXELS.astype(float), b"labels": [0] * RECORDS}, ["float64", "uint8"]),
        ({b"data": PIXELS, b"labels": [0, 1]}, ["(2,)", "(4,) expected"]),
        ({b"data": PIXELS, b"labels": [0.5] * RECORDS}, ["float64", "integers"]),
        (
            {b"data": PIXELS, b"labels": [[0], [1, 2]]},
            ["labels is neither an array nor a list of numbers"],
        ),
        ({b"data": Evil(print, "x"), b"labels": [0]}, ["print, not admitted"]),
    ],
)
def test_bad_python_batches_are_named(content, parts):
    with pytest.raises(UserError) as error:
        cifar.parse_python(pickle.dumps(content, protocol=2), "here: data_batch_1")
    assert_one_line(error, "here: data_batch_1", "again", *parts)


@pytest.mark.parametrize("cut", [0, 1, 40, 1000])
def test_a_cut_pickle_is_named(cut):
    data = pickle.dumps({b"data": PIXELS, b"labels": [0] * RECORDS}, protocol=2)
    with pytest.raises(UserError) as error:
        cifar.parse_python(data[:cut], "here")
    assert_one_line(error, "here", "not a CIFAR-10 batch", "again")
