import zlib

import numpy as np
from sklearn.datasets import load_digits

from jaxadv.data.digits import read_digits

TEST_LABELS = [7, 6, 3, 7, 7, 3, 2, 8, 9, 3]
TEST_CRC = 0x9066F692


def test_counts_and_class_balance():
    train, test, jpeg = read_digits()
    assert train.images.shape == (1437, 8, 8, 1)
    assert test.images.shape == (360, 8, 8, 1)
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int32
    assert not jpeg
    per_class = np.bincount(load_digits().target)
    # stratified: every class gives its fifth to the test set, to within one image
    np.testing.assert_allclose(np.bincount(test.labels), per_class * 360 / 1797, atol=1)


def test_the_two_sets_are_the_whole_and_scaled():
    train, test, _ = read_digits()
    bunch = load_digits()
    both = np.concatenate([train.images, test.images])[..., 0]
    assert both.min() == 0
    assert both.max() == 255
    assert sorted(map(bytes, both)) == sorted(
        map(bytes, np.rint(bunch.images * 255 / 16).astype(np.uint8))
    )


def test_the_split_is_fixed():
    first, second = read_digits(), read_digits()
    np.testing.assert_array_equal(first.train.images, second.train.images)
    # pinned, so that a new scikit-learn which splits otherwise is noticed
    assert first.test.labels[:10].tolist() == TEST_LABELS
    assert zlib.crc32(first.test.images.tobytes()) == TEST_CRC
