"""Images as users bring them: each fault's remedy, carried out, gives the right images."""

import warnings

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from jaxadv.data import Dataset, from_arrays, load_dataset
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, pictures

X, Y = pictures(12, (5, 6, 3))
BITS = X > 127


def taken(images, test_images=None):
    """The training images as taken, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        test_images = images if test_images is None else test_images
        return from_arrays(images, Y, test_images, Y).train.images


def refused(images, *parts, test_images=None):
    with pytest.raises(UserError) as error:
        from_arrays(images, Y, images if test_images is None else test_images, Y)
    assert_one_line(error, *parts)
    return str(error.value)


@pytest.mark.parametrize(
    ("images", "remedy", "right"),
    [
        (BITS, lambda x: x.astype(np.float32), BITS),
        (BITS.astype(np.uint8), lambda x: x.astype(np.float32), BITS),
        (BITS.astype(np.int64), lambda x: x.astype(np.float32), BITS),
        (X.astype(np.uint16) * 257, lambda x: x.astype(np.float32) / 65535, X / 255),
        (X.astype(np.int16) - 128, lambda x: (x.astype(np.float32) + 128) / 255, X / 255),
        ((X.astype(int) - 128).astype(np.int8), lambda x: (x.astype("f4") + 128) / 255, X / 255),
        (X.astype(np.int64) // 16, lambda x: x.astype(np.float32) / 15, X // 16 / 15),
        (X.astype(np.uint16), lambda x: x.astype(np.uint8), X),
        (X.astype(np.int64), lambda x: x.astype(np.uint8), X),
    ],
)
def test_advice_for_integers_keeps_the_data(images, remedy, right):
    x = images.astype(np.int64)
    texts = {
        (1, 0): "train_images.astype(np.float32)",
        (65535, 0): "train_images.astype(np.float32) / 65535",
        (127, -128): "(train_images.astype(np.float32) + 128) / 255",
        (15, 0): "train_images.astype(np.float32) / 15",
        (255, 0): "train_images.astype(np.uint8)",
    }
    line = refused(images, "train_images", images.dtype, texts[int(x.max()), int(x.min())])
    if x.max() not in (15, 255):
        assert "uint8)" not in line
    np.testing.assert_allclose(taken(remedy(images)), right, atol=1e-6)


def test_both_sets_are_scaled_alike():
    small = X.astype(np.uint16)
    refused(small, "/ 65535", test_images=small * 257)
    refused(X, "test_images", "/ 65535", test_images=small * 257)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16, np.float64, ">f4"])
def test_floats_of_every_width_become_float32(kind):
    images = (X / 255).astype(kind)
    got = taken(images)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, images.astype(np.float32))


def test_jax_bfloat16_is_taken():
    np.testing.assert_allclose(taken(jnp.asarray(X / 255, jnp.bfloat16)), X / 255, atol=2e-3)


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (X.astype(float), ["0 to 255", "train_images / 255"]),
        (np.float32(X // 16), ["0 to 15", "15, the largest, or 255"]),
        (X / 127.5 - 1, ["-1 to 1", "train_images / 2 + 0.5", "std + mean"]),
        (X / 255 * 1.001, ["1.001", "clip(0, 1)"]),
        (X * 1e300, ["NaN or infinite"]),
        (X.astype(complex), ["complex128", "real"]),
        (X.astype(str), ["np.asarray(train_images, np.float32)"]),
        (X.astype(object), ["object", "np.asarray(train_images, np.float32)"]),
        (X.astype("m8[s]"), ["timedelta64"]),
    ],
)
def test_other_scales_and_types_are_named(images, parts):
    assert "uint8)" not in refused(images, *parts).replace("expected uint8 (0..255)", "")


def test_what_is_nearly_black_throughout_gets_a_warning():
    with pytest.warns(UserWarning, match="train_images: the largest value is 0.00392 of 1"):
        from_arrays(X / 255 / 255, Y, X / 255, Y)
    with pytest.warns(UserWarning, match="test_images: the largest value is 16 of 255") as caught:
        from_arrays(X, Y, np.minimum(X, 16), Y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("images", [X * 0, X / 255 * 0, X / 255, np.float32(BITS), X])
def test_black_sets_and_those_of_the_right_scale_are_taken_in_silence(images):
    np.testing.assert_array_equal(taken(images), images.astype(taken(images).dtype))


def test_a_test_set_of_0_and_1_beside_a_right_training_set_is_refused():
    refused(X, "test_images", "0 and 1 only", test_images=BITS.astype(np.uint8))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 16, 20), (2, 8, 8)])
def test_channels_first_is_refused_and_the_remedy_taken(shape):
    images, _ = pictures(12, shape)
    refused(images, (12, *shape), "channels first", "train_images.transpose(0, 2, 3, 1)")
    np.testing.assert_array_equal(taken(images.transpose(0, 2, 3, 1))[..., 0], images[:, 0])


@pytest.mark.parametrize(
    "shape", [(3, 32, 3), (3, 32, 1), (3, 32, 4), (1, 1, 20), (4, 4, 64), (8, 8, 2), (32, 32, 7)]
)
def test_small_images_with_channels_last_are_taken(shape):
    images, _ = pictures(12, shape)
    np.testing.assert_array_equal(taken(images), images)


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        (X[:, :2, :2, 0].reshape(12, 4), [(12, 4), "reshape(-1, 2, 2)"]),
        (np.zeros((12, 3072)), ["reshape(-1, 32, 32, 3)", "transpose(0, 2, 3, 1)"]),
        (X[None], ["(1, 12, 5, 6, 3)", "[N, H, W, C]"]),
        (np.array([*X, None], object)[:12], ["np.stack(list(train_images))"]),
        ("train.npy", ["'train.npy'", "np.load"]),
        (None, ["None", "train_images, train_labels, test_images, test_labels"]),
        ((image for image in X), ["generator", "np.stack"]),
        ((X, Y), ["ragged", "a pair of images and labels"]),
        (Dataset(X, Y), ["a Dataset", ".images"]),
        (np.ma.masked_array(X, X > 250), [f"{np.sum(X > 250)} masked", "filled"]),
    ],
)
def test_what_is_no_array_of_images_is_named(images, parts):
    with pytest.raises(UserError) as error:
        from_arrays(images, Y, X, Y)
    assert_one_line(error, "train_images", *parts)


def test_splits_are_not_arrays():
    refused(load_dataset("digits"), "train_images is a Splits", ".train.images")


def test_a_masked_array_without_masked_values_is_taken():
    np.testing.assert_array_equal(taken(np.ma.masked_array(X)), X)


def test_a_tensor_that_numpy_cannot_read_is_one_line():
    class Tensor:
        def __array__(self, *_, **__):
            raise RuntimeError("Can't call numpy() on a Tensor\nthat requires grad")

    refused(Tensor(), "Tensor", "tensor.detach().cpu().float().numpy()")
