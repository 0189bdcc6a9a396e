import io

import numpy as np
import pytest
from PIL import Image

from jaxadv.data.image import decode, resize
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, encode, pictures

RGB = pictures(1, (6, 4, 3))[0][0]


def test_png_is_exact():
    pixels, jpeg = decode(encode(RGB), (6, 4, 3), "here")
    np.testing.assert_array_equal(pixels, RGB)
    assert not jpeg


def test_jpeg_is_told_by_its_contents():
    smooth = np.full((6, 4, 3), 200, np.uint8)
    pixels, jpeg = decode(encode(smooth, "JPEG"), (6, 4, 3), "here.png")
    assert jpeg
    np.testing.assert_allclose(pixels, smooth, atol=2)


def test_grey_and_palette_are_converted():
    grey = RGB[..., 0]
    np.testing.assert_array_equal(decode(encode(grey), (6, 4, 1), "")[0][..., 0], grey)
    np.testing.assert_array_equal(
        decode(encode(grey), (6, 4, 3), "")[0], np.repeat(grey[..., None], 3, axis=2)
    )
    buffer = io.BytesIO()
    Image.fromarray(grey).convert("P").save(buffer, "PNG")
    np.testing.assert_array_equal(decode(buffer.getvalue(), (6, 4, 1), "")[0][..., 0], grey)


def test_another_size_is_named():
    with pytest.raises(UserError) as error:
        decode(encode(RGB), (4, 4, 3), "here")
    assert_one_line(error, "here", "4x6 pixels found", "4x4 expected", "size")


def test_sixteen_bits_are_refused_not_clipped():
    deep = Image.fromarray(np.full((6, 4), 40_000, np.uint16))
    buffer = io.BytesIO()
    deep.save(buffer, "PNG")
    with pytest.raises(UserError) as error:
        decode(buffer.getvalue(), (6, 4, 1), "here")
    assert_one_line(error, "here", "I;16", "8 bits")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7])
def test_cut_files_are_named(kind, keep):
    data = encode(pictures(1, (32, 32, 3))[0][0], kind)
    with pytest.raises(UserError) as error:
        decode(data[: int(keep * len(data))], (32, 32, 3), "here")
    assert_one_line(error, "here", "not a complete PNG or JPEG", "copy it again")


def test_damaged_png_is_named():
    data = bytearray(encode(pictures(1, (32, 32, 3))[0][0]))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UserError) as error:
        decode(bytes(data), (32, 32, 3), "here")
    assert_one_line(error, "here", "copy it again")


def test_other_formats_are_not_even_tried():
    with pytest.raises(UserError) as error:
        decode(encode(RGB, "BMP"), (6, 4, 3), "here.png")
    assert_one_line(error, "here.png", "not a complete PNG or JPEG")


def test_resize_interpolates_each_channel():
    images = np.zeros((2, 2, 2, 3), np.uint8)
    images[1, :, 1, 2] = 200  # right column of the blue channel of the second image
    resized = resize(images, 4)
    assert resized.shape == (2, 4, 4, 3)
    assert resized.dtype == np.uint8
    assert not resized[0].any()
    assert not resized[1, :, :, :2].any()
    # pixel centres lie at 1/4 and 3/4 of the way between the two columns
    np.testing.assert_array_equal(resized[1, 0, :, 2], [0, 50, 150, 200])


def test_resize_to_the_same_size_changes_nothing():
    images, _ = pictures(3, (5, 5, 1))
    np.testing.assert_array_equal(resize(images, 5), images)
