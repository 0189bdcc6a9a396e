"""The numbers behind the figures, by hand."""

import numpy as np
import pytest
from scipy import stats

from jaxadv.plots import reduce
from tests.plots.made import under_attack


def test_directions_are_averaged_within_a_seed_before_the_interval() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source)
        for seed, values in enumerate([(0.2, 0.4), (0.5, 0.5), (0.6, 0.8)])
        for source, value in zip("12", values, strict=True)
    ]
    (point,) = reduce.against(rows)
    assert point.x == 0.1
    assert point.value.mean == pytest.approx(0.5)  # of 0.3, 0.5 and 0.7
    assert point.value.half == pytest.approx(stats.t.ppf(0.975, 2) * 0.2 / np.sqrt(3))
    assert point.value.n == 3


def test_a_seed_without_a_value_is_left_out_and_none_at_all_is_none() -> None:
    rows = [
        under_attack("transfer_rate", None, 0),
        under_attack("transfer_rate", 0.4, 1),
        under_attack("transfer_rate", None, 0, eps=0.05),
    ]
    nothing, one = reduce.against(rows)
    assert nothing == (0.05, None, 0)
    assert (one.value.mean, one.value.half, one.value.n) == (0.4, None, 1)


def test_a_seed_of_which_one_direction_is_unknown_has_no_mean() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source)
        for seed, source, value in [(0, "1", 0.2), (0, "2", 0.4), (1, "1", 0.9), (1, "2", None)]
    ]
    rows[-1]["n"] = 100
    assert reduce.against(rows) == [(0.1, (pytest.approx(0.3), None, pytest.approx(0.3), 1), 1)]
    rows[-1]["n"] = 0  # 0/0: the other direction's is the seed's mean
    assert reduce.against(rows)[0].value.n == 2


def test_distances_give_one_point_a_pair() -> None:
    rows = [
        under_attack("transfer_rate", value, seed, source=source, distance=at)
        for seed, at, source, value in [
            (0, 2000.0, "1", 0.2),
            (0, 2000.0, "2", 0.4),
            (0, 1000.0, "1", 0.6),
            (1, 1010.0, "1", None),
            (1, 1010.0, "2", 0.8),
            (1, 1990.0, "1", None),
        ]
    ]
    clouds = reduce.against_distance([*rows, under_attack("transfer_rate", 0.9, 0)])
    assert {seed: cloud.distance for seed, cloud in clouds.items()} == {
        0: [1000.0, 2000.0],
        1: [1010.0],
    }
    np.testing.assert_allclose(clouds[0].value, [0.6, 0.3])
    np.testing.assert_allclose(clouds[1].value, [0.8])


def test_distinct_keeps_the_order_of_appearance() -> None:
    rows = [{"a": 2}, {"a": 1, "b": 3}, {"a": 2}, {"c": 0}]
    assert reduce.distinct(rows, "a") == [2, 1]
    assert reduce.distinct(rows, "a", "b") == [(2, None), (1, 3)]
