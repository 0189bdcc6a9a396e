import jax
import numpy as np
import pytest

from jaxadv.data import Dataset, from_arrays
from jaxadv.data.arrays import checked
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, pictures

X, Y = pictures(12, (5, 4, 3))
TEST_X, TEST_Y = X[:10], Y[:10]


def test_keeps_the_users_bytes():
    splits = from_arrays(X, Y, TEST_X, TEST_Y, name="mine")
    assert (splits.name, splits.title, splits.source) == ("mine", "mine", "arrays")
    np.testing.assert_array_equal(splits.train.images, X)
    np.testing.assert_array_equal(splits.test.labels, TEST_Y)
    assert splits.train.images.dtype == np.uint8
    assert splits.train.labels.dtype == np.int32
    assert splits.image_shape == (5, 4, 3)
    assert splits.class_names == tuple("0123456789")


def test_rank_three_gets_a_channel_axis():
    splits = from_arrays(X[..., 0], Y, TEST_X[..., 0], TEST_Y)
    assert splits.train.images.shape == (12, 5, 4, 1)
    np.testing.assert_array_equal(splits.train.images[..., 0], X[..., 0])


def test_float64_becomes_float32_and_stays_in_the_unit_interval():
    splits = from_arrays(X / 255, Y, TEST_X / 255, TEST_Y)
    assert splits.train.images.dtype == np.float32
    np.testing.assert_allclose(splits.train.images, X / 255, atol=1e-7)
    assert splits.train.images.max() <= 1


def test_jax_arrays_are_taken():
    splits = from_arrays(jax.numpy.asarray(X), jax.numpy.asarray(Y), TEST_X, TEST_Y)
    np.testing.assert_array_equal(splits.train.images, X)


def test_dataset_is_a_pytree():
    leaves = jax.tree.leaves(Dataset(X, Y))
    assert [leaf.shape for leaf in leaves] == [(12, 5, 4, 3), (12,)]


def test_given_class_names_bound_the_labels():
    with pytest.raises(UserError) as error:
        from_arrays(X, Y, TEST_X, TEST_Y, class_names=["a", "b", "c"])
    assert_one_line(error, "train_images and train_labels", "label 3 at index 3", "0..2")


def test_classes_are_counted_over_both_sets():
    splits = from_arrays(X[:3], Y[:3], TEST_X, TEST_Y)
    assert len(splits.class_names) == 10


@pytest.mark.parametrize(
    ("images", "labels", "parts"),
    [
        (X[:5], Y, ["5 images", "12 labels", "one label an image"]),
        (X[:0], Y[:0], ["0 images", "at least 1"]),
        (X[0, 0], Y, ["train_images", "(4, 3)", "[N, H, W, C]", "reshape"]),
        (X[:, :0], Y, ["(12, 0, 4, 3)", "reshape"]),
        (X.astype(np.int64), Y, ["train_images", "int64", "astype(np.uint8)"]),
        (X.astype(np.float32), Y, ["0 to 25", "[0, 1]", "divide by 255"]),
        (X / 255 - 0.5, Y, ["-0.5", "[0, 1]", "rescale"]),
        (np.where(X > 250, np.nan, X / 255), Y, [f"{np.sum(X > 250)} values", "NaN", "clean"]),
        ([[[1, 2], [3]]], Y, ["train_images is ragged", "one size"]),
        (X, Y.astype(float), ["train_labels", "float64", "integers"]),
        (X, Y > 3, ["train_labels", "bool", "integers"]),
        (X, np.eye(10, dtype=int)[Y], ["train_labels", "(12, 10)", "argmax"]),
        (X, Y.astype(int) - 1, ["label -1 at index 0", "0..9", "correct"]),
    ],
)
def test_faults_are_named_in_one_line(images, labels, parts):
    with pytest.raises(UserError) as error:
        from_arrays(images, labels, TEST_X, TEST_Y)
    assert_one_line(error, *parts)


def test_sets_must_agree_in_shape_and_type():
    with pytest.raises(UserError) as error:
        from_arrays(X, Y, TEST_X[:, :2], TEST_Y)
    assert_one_line(error, "(2, 4, 3)", "(5, 4, 3)", "one shape")
    with pytest.raises(UserError) as error:
        from_arrays(X, Y, TEST_X / 255, TEST_Y)
    assert_one_line(error, "float32", "uint8", "type")


def test_large_unsigned_labels_are_not_wrapped():
    with pytest.raises(UserError) as error:
        checked(X, np.full(12, 2**40, np.uint64), 10, "here")
    assert_one_line(error, "here", str(2**40))


def test_files_of_0_and_1_are_refused_too():
    with pytest.raises(UserError) as error:
        checked((X > 127).astype(np.uint8), Y, 10, "here")
    assert_one_line(error, "here", "0 and 1 only", "images.astype(np.float32)")
