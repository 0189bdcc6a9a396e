import gzip
import struct

import numpy as np
import pytest

from jaxadv.data.catalogue import CATALOGUE
from jaxadv.data.idx import find, read_idx
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, idx_bytes, real_data, write_mnist

MNIST = CATALOGUE["mnist"]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dot", [False, True])
def test_round_trip_in_every_spelling(tmp_path, compressed, dot):
    arrays = write_mnist(tmp_path, compressed, dot)
    reader = find(tmp_path, MNIST)
    assert reader is not None
    assert not reader.slow
    decoded = reader.read(False)
    np.testing.assert_array_equal(decoded.train.images[..., 0], arrays["train-images"])
    np.testing.assert_array_equal(decoded.train.labels, arrays["train-labels"])
    np.testing.assert_array_equal(decoded.test.images[..., 0], arrays["t10k-images"])
    np.testing.assert_array_equal(decoded.test.labels, arrays["t10k-labels"])
    assert decoded.train.labels.dtype == np.int32
    assert not decoded.jpeg


@pytest.mark.parametrize("compressed", [False, True])
def test_the_contents_say_whether_a_file_is_compressed(tmp_path, compressed):
    """Browsers unpack a .gz under its old name, and some write one without the ending."""
    arrays = write_mnist(tmp_path, compressed)
    for path in tmp_path.iterdir():
        path.rename(path.with_suffix("") if compressed else path.with_name(f"{path.name}.gz"))
    decoded = find(tmp_path, MNIST).read(False)
    np.testing.assert_array_equal(decoded.train.images[..., 0], arrays["train-images"])
    np.testing.assert_array_equal(decoded.test.labels, arrays["t10k-labels"])


def test_nothing_there_is_not_a_fault(tmp_path):
    assert find(tmp_path, MNIST) is None
    assert find(tmp_path / "absent", MNIST) is None


def test_a_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError) as error:
        find(tmp_path, MNIST)
    assert_one_line(error, tmp_path, "t10k-labels-idx1-ubyte is missing", "download")


IMAGES = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
GOOD = idx_bytes(IMAGES)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (GOOD[:-1], [len(GOOD) - 1, f"{len(GOOD)} expected", "(2, 28, 28)"]),
        (GOOD + b"x", [f"more than {len(GOOD)} bytes", f"{len(GOOD)} expected"]),
        (GOOD[:7], ["7 bytes", "at least 16"]),
        (b"", ["0 bytes"]),
        (idx_bytes(IMAGES[0, 0]), ["2049 found", "2051 expected", "3 dimensions"]),
        (idx_bytes(IMAGES, type_code=0x0D), ["3331 found", "2051 expected"]),
        (
            struct.pack(">I3I", 2051, 2**31, 2**31, 2**31),
            ["(2147483648, 2147483648, 2147483648) found"],
        ),
        (struct.pack(">I3I", 2051, 2**10, 2**10, 2**10), ["16 bytes found", "1073741840 expected"]),
    ],
)
def test_bad_contents_are_named(tmp_path, data, parts):
    path = tmp_path / "images"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read_idx(path, 3)
    assert_one_line(error, path, "download the file again", *parts)


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("fault", ["truncated", "flipped", "checksum", "not gzip"])
def test_bad_gzip_is_named(tmp_path, fault):
    data = gzip.compress(np.random.default_rng(0).bytes(4000))
    broken = {
        "truncated": data[:-20],
        "flipped": _flip(data, 12),
        "checksum": _flip(data, len(data) - 6),
        "not gzip": b"<html>not found</html>",
    }[fault]
    path = tmp_path / "images.gz"
    path.write_bytes(broken)
    with pytest.raises(UserError) as error:
        read_idx(path, 3)
    assert_one_line(error, path, "download the file again")


def test_counts_must_agree(tmp_path):
    write_mnist(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.zeros(19, np.uint8)))
    with pytest.raises(UserError) as error:
        find(tmp_path, MNIST).read(False)
    assert_one_line(error, "train-images-idx3-ubyte", path.name, "20 images", "19 labels")


def test_labels_must_be_in_range(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.full(10, 10, np.uint8)))
    with pytest.raises(UserError) as error:
        find(tmp_path, MNIST).read(False)
    assert_one_line(error, "t10k-labels-idx1-ubyte", "label 10 at index 0", "0..9")


def test_images_must_have_the_datasets_shape(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((20, 8, 8), np.uint8)))
    with pytest.raises(UserError) as error:
        find(tmp_path, MNIST).read(False)
    assert_one_line(error, "train-images-idx3-ubyte", "(8, 8, 1)", "(28, 28, 1)", "--data-dir")


def test_real_mnist():
    reader = find(real_data("mnist"), MNIST)
    assert reader is not None
    decoded = reader.read(False)
    assert decoded.train.images.shape == (60_000, 28, 28, 1)
    assert decoded.test.images.shape == (10_000, 28, 28, 1)
    assert decoded.train.images.mean() == pytest.approx(33.318421)
    assert np.bincount(decoded.train.labels)[:3].tolist() == [5923, 6742, 5958]
    assert np.bincount(decoded.test.labels)[:3].tolist() == [980, 1135, 1032]
