import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.data.augment import cropped, mirrored

KEY = jax.random.key(0)


def test_crops_are_windows_of_the_padded_image(rng):
    images = np.float32(rng.uniform(0.1, 1, size=(64, 6, 5, 2)))
    found = np.asarray(jax.jit(lambda x: cropped(x, KEY, 2))(images))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    moves = set()
    for image, whole in zip(found, padded, strict=True):
        windows = {(r, c): whole[r : r + 6, c : c + 5] for r in range(5) for c in range(5)}
        (move,) = [at for at, window in windows.items() if np.array_equal(image, window)]
        moves.add(move)
    assert {r for r, _ in moves} == {c for _, c in moves} == {0, 1, 2, 3, 4}


def test_half_of_the_images_are_mirrored_and_none_otherwise_changed(rng):
    images = np.float32(rng.uniform(size=(400, 4, 3, 1)))
    found = np.asarray(mirrored(jnp.asarray(images), KEY))
    turned = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(found, images, strict=True)])
    np.testing.assert_array_equal(found[~turned], images[~turned])
    assert 160 < turned.sum() < 240


def test_an_example_does_not_depend_on_the_batch_beside_it(rng):
    images = np.float32(rng.uniform(size=(8, 6, 6, 1)))
    other = images.copy()
    other[1:] = 0
    for augment in (cropped, mirrored):
        np.testing.assert_array_equal(augment(images, KEY)[0], augment(other, KEY)[0])
