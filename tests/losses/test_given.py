"""What is no logits, labels or features, and features of other types than float32."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.errors import UserError
from jaxadv.losses import (
    accuracy,
    correlation_loss,
    cross_entropy,
    ensemble_correlation,
    held_out_r_squared,
    join,
    kept_columns,
    margins,
    r_squared,
)
from tests.data.fixtures import assert_one_line
from tests.losses.made import features

RAGGED = [[1.0], [2.0, 3.0]]
Z1, Z2 = features(30, 3)
LOGITS, Y = np.eye(3, dtype=np.float32), np.arange(3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: accuracy(LOGITS, RAGGED),
        lambda: margins(LOGITS.astype(object), Y),
        lambda: cross_entropy(LOGITS.astype(str), Y),
        lambda: join(["a", "b"]),
        lambda: join(np.ones((2, 3))),
        lambda: join(np.float32(1)),
        lambda: correlation_loss(Z1, None),
        lambda: correlation_loss(Z1 + 1j, Z2),
        lambda: correlation_loss(Z1, RAGGED),
        lambda: correlation_loss(Z1[:, :0], Z2),
        lambda: correlation_loss(Z1, Z2, ridge=-1.0),
        lambda: correlation_loss(Z1, Z2, eta=np.nan),
        lambda: r_squared(Z1, Z2, ridge=object()),
        lambda: r_squared(Z1, Z2, ridge=np.ones(2)),
        lambda: held_out_r_squared(Z1, None),
        lambda: held_out_r_squared(dict, Z2),
        lambda: ensemble_correlation(dict),
        lambda: ensemble_correlation([Z1, "z2"]),
        lambda: kept_columns(Z1[0]),
    ],
    ids=range(19),
)
def test_refused_in_one_line(call):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, "give")


@pytest.mark.parametrize(
    "call",
    [
        lambda: correlation_loss(Z1, Z2, total="all"),
        lambda: r_squared(Z1, Z2, total=np.array(["centred"])),
        lambda: ensemble_correlation([Z1, Z2], regress=["both"]),
        lambda: join(np.ones(2), "mean"),
    ],
    ids=range(4),
)
def test_choices(call):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, "choose one of")


def test_features_of_other_types_are_regressed_in_float32():
    loss = jax.jit(lambda a, b: (correlation_loss(a, b), r_squared(a, b)))
    for kind in (np.float16, jnp.bfloat16, np.int32, np.uint8):
        a, b = (np.abs(20 * z).astype(kind) for z in (Z1, Z2))
        wide = np.float32(a), np.float32(b)
        np.testing.assert_allclose(loss(a, b), loss(*wide), rtol=1e-6)
    np.testing.assert_allclose(r_squared(Z1.tolist(), Z2), r_squared(Z1, Z2), rtol=1e-6)


def test_float64_is_taken_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = correlation_loss(Z1.astype(float), Z2.astype(float))
        cross_entropy(LOGITS.astype(float), Y)
    np.testing.assert_allclose(found, correlation_loss(Z1, Z2), rtol=1e-5)
