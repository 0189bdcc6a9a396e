"""Labels as users bring them: each fault's remedy fits it, and what may be meant is warned of."""

import warnings

import numpy as np
import pytest

from jaxadv.data import from_arrays
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, pictures

X, _ = pictures(12, (5, 4, 3))
Y = np.arange(12) % 10
NAMES = list("abcdefghij")


def taken(labels, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return from_arrays(X, labels, X, labels, **options)


def refused(labels, *parts, **options):
    with pytest.raises(UserError) as error:
        from_arrays(X, labels, X, labels, **options)
    assert_one_line(error, *parts)


@pytest.mark.parametrize(
    ("labels", "remedy", "text"),
    [
        (Y[:, None], lambda y: y[:, 0], "train_labels[:, 0]"),
        (Y[None], lambda y: y[0], "train_labels[0]"),
        (np.eye(10)[Y], lambda y: y.argmax(axis=1), "argmax"),
        (np.eye(10, dtype=np.uint8)[Y], lambda y: y.argmax(axis=1), "argmax"),
        (np.eye(10)[Y] * 0.9 + 0.01, lambda y: y.argmax(axis=1), "argmax"),
        (Y.astype(float), lambda y: y.astype(np.int32), "train_labels.astype(np.int32)"),
        (Y.astype(str), lambda y: y.astype(np.int32), "train_labels.astype(np.int32)"),
        (Y.astype(str).astype(object), lambda y: y.astype(np.int32), "astype(np.int32)"),
        (Y.astype(object), lambda y: y.astype(np.int32), "astype(np.int32)"),
        (np.array(NAMES)[Y], lambda y: np.searchsorted(NAMES, y), "np.searchsorted(class_names"),
    ],
)
def test_the_remedy_gives_the_right_labels(labels, remedy, text):
    refused(labels, "train_labels", text)
    np.testing.assert_array_equal(taken(remedy(labels)).train.labels, Y)


def test_truth_values_become_two_classes():
    refused(Y > 4, "bool", "train_labels.astype(np.int32)")


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64, np.int64])
def test_integers_of_every_width_are_taken(kind):
    splits = taken(Y.astype(kind))
    assert splits.train.labels.dtype == np.int32
    np.testing.assert_array_equal(splits.train.labels, Y)


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        (np.ones((12, 10), int), ["several classes an image"]),
        (Y / 10, ["float64", "not scores"]),
        (Y * np.nan, ["float64", "class indices"]),
        (np.array([None] * 12), ["object", "class indices"]),
        (np.array(3), ["()", "one an image"]),
        (X, ["look like images", "train_images, train_labels, test_images, test_labels"]),
        (Y.astype("m8[s]"), ["timedelta64"]),
        (Y[:5], ["12 images", "5 labels"]),
        (Y - 1, ["label -1 at index 0", "0..8", "leave out where train_labels < 0"]),
        (np.where(Y > 4, 1, -1), ["label -1", "0..1", "(labels + 1) // 2"]),
        (Y + 2**40, [f"label {9 + 2**40}", "1,000,000", "np.unique"]),
    ],
)
def test_what_are_no_class_indices_are_named(labels, parts):
    refused(labels, *parts)


def test_labels_from_1_are_refused_where_the_names_show_it():
    refused(Y + 1, "label 10 at index 9", "0..9", "train_labels - 1", class_names=NAMES)
    assert taken(Y + 1, class_names=["none", *NAMES]).train.labels[0] == 1
    assert taken(np.maximum(Y, 1), class_names=NAMES).train.labels[0] == 1


def test_labels_from_1_without_names_get_a_warning():
    with pytest.warns(UserWarning, match=r"class 0 occurs in neither set.*labels - 1") as caught:
        splits = from_arrays(X, Y + 1, X, Y + 1)
    assert len(splits.class_names) == 11
    assert caught[0].filename == __file__
    taken(Y, class_names=NAMES)


def test_a_label_that_wrapped_gets_a_warning():
    with pytest.warns(UserWarning, match=r"most of 256 classes.*255"):
        from_arrays(X, (Y - 1).astype(np.uint8), X, Y)


def test_exchanged_labels_and_exchanged_sets_are_named():
    with pytest.raises(UserError) as error:
        from_arrays(X, Y[:10], X[:10], Y)
    assert_one_line(error, "12 images", "10 labels", "exchange the train_labels and")
    with pytest.raises(UserError) as error:  # the order of scikit-learn's train_test_split
        from_arrays(X, X[:10], Y, Y[:10])
    assert_one_line(error, "train_labels", "look like images", "the order is")


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (list("aabcdefghi"), ["'a' 2 times", "a name of its own"]),
        ([], ["class_names is empty"]),
        ("abcdefghij", ["'abcdefghij'", "a list of names"]),
        ({0: "a"}, ["{0: 'a'}", "a list of names"]),
        (3, ["class_names is 3", "a list of names"]),
        (list("abc"), ["label 3 at index 3", "0..2", "number of classes"]),
    ],
)
def test_class_names_are_one_a_class(names, parts):
    refused(Y, *parts, class_names=names)


def test_class_names_become_text():
    assert taken(Y, class_names=np.arange(10)).class_names == tuple("0123456789")


@pytest.mark.parametrize("name", [None, "", 3])
def test_the_name_is_text(name):
    refused(Y, f"name is {name!r}", "text", name=name)
