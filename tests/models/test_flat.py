"""Networks that flatten their images take flat ones."""

import jax
import numpy as np
import pytest

from jaxadv import models


@pytest.mark.parametrize("model", [models.fc(3, (5,) * 4), models.dna(2, 2, (5, 4, 3, 4, 5)).model])
def test_flat_images_are_the_same_images(model):
    x = np.float32(np.random.default_rng(0).uniform(size=(4, 6, 6, 1)))
    variables = model.init(jax.random.key(0), x)
    whole = model.apply(variables, x)[0]
    flat = model.apply(model.init(jax.random.key(0), x.reshape(4, 36)), x.reshape(4, 36))[0]
    np.testing.assert_array_equal(whole.taps["features"], flat.taps["features"])
