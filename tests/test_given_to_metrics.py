"""What is no scores, events or values is refused; single seeds without a value are left out."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import metrics
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line

RAGGED = [[1.0], [2.0, 3.0]]
Y = np.array([0, 1])
FLAGS = np.ones((2, 2), bool)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.rate(RAGGED),
        lambda: metrics.transfer_rate([True, False], RAGGED),
        lambda: metrics.transfer_rate_clean_correct(Y, Y, Y, RAGGED),
        lambda: metrics.wrong(RAGGED, Y),
        lambda: metrics.wrong(np.eye(2), RAGGED),
        lambda: metrics.ensemble_wrong(RAGGED, Y),
        lambda: metrics.ensemble_wrong(np.ones((2, 2, 2), bool), Y),
        lambda: metrics.fooled(FLAGS, RAGGED),
        lambda: metrics.disagreement(np.array([[["a"]], [["b"]]])),
        lambda: metrics.detection("seven", [0.5]),
        lambda: metrics.detection([0.1], object()),
        lambda: metrics.detection([0.1], [0.5], alarms=object()),
        lambda: metrics.detection([0.1], [0.5], alarms="0.1"),
        lambda: metrics.detection([0.1], [0.5], alarms=1.1),
        lambda: metrics.pathway_rates(FLAGS, np.array([["a", "b"]] * 2)),
        lambda: metrics.interval(dict),
        lambda: metrics.interval({"x": 1}),
        lambda: metrics.interval(0.5),
        lambda: metrics.interval(["0.5"]),
        lambda: metrics.paired_difference({0: 1.0}, [1.0]),
        lambda: metrics.paired_difference({0: 1.0}, {0: "a"}),
        lambda: metrics.mean_line([([0.0, 1.0], 0.5)]),
        lambda: metrics.mean_line([([[0.0], [1.0]], [0.0, 1.0])]),
        lambda: metrics.mean_line([([0.0, 1.0], [0.0, 1.0, 2.0])]),
        lambda: metrics.polynomial_fit([0, 1, 2, 3], None, 1),
        lambda: metrics.polynomial_fit([0, 1, 2, 3], [0, 1, 2, 4], -1),
        lambda: metrics.polynomial_fit([0, 1, 2, 3], [0, 1, 2, 4], "1"),
    ],
    ids=range(27),
)
def test_refused_in_one_line(call):
    with pytest.raises(UserError) as error:
        call()
    assert_one_line(error, "give")


def test_jax_arrays_are_lists_of_numbers():
    x, y = jnp.arange(4.0), jnp.array([1.0, 3.0, 5.0, 8.0])
    np.testing.assert_allclose(metrics.mean_line([(x, y)]).slope.mean, 2.3, rtol=1e-6)
    fit = metrics.polynomial_fit(x, y, 1)
    np.testing.assert_allclose(fit.coefficients, [2.3, 0.8], rtol=1e-6)
    assert metrics.interval(y).mean == 4.25


def test_seeds_without_a_value_are_left_out():
    difference = metrics.paired_difference({0: 0.5, 1: None, 2: 1.0}, {0: 0.25, 1: 0.2, 2: 0.5})
    assert (difference.mean, difference.n) == (0.375, 2)


def test_curves_that_are_not_finite_are_left_out():
    fine, broken = ([0.0, 1.0], [1.0, 3.0]), ([0.0, 1.0], [1.0, np.nan])
    assert metrics.mean_line([fine, broken]).slope == metrics.mean_line([fine]).slope
    assert metrics.mean_line([broken]) is None
    assert metrics.polynomial_fit([0, 1, 2, 3], [0, 1, 2, np.nan], 1) is None
