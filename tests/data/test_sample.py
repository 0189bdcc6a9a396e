import numpy as np
import pytest

from jaxadv import data
from jaxadv.data import Dataset
from jaxadv.errors import UserError


def numbered(count):
    return Dataset(np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1), np.arange(count))


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [
        (4, 8, [0, 2, 4, 6]),
        (3, 10, [0, 3, 6]),
        (7, 10, [0, 1, 2, 4, 5, 7, 8]),
        (1, 5, [0]),
        (5, 5, [0, 1, 2, 3, 4]),
        (0, 3, [0, 1, 2]),
        (9, 3, [0, 1, 2]),
    ],
)
def test_examples_are_spread_over_the_whole_and_say_where_they_stood(count, of, expected):
    chosen, indices = data.evenly_spaced(numbered(of), count)
    assert indices.tolist() == expected
    assert chosen.labels.tolist() == expected
    assert chosen.images.ravel().tolist() == expected


@pytest.mark.parametrize("count", [-1, 1.5, True, "3"])
def test_what_is_no_count_is_refused(count):
    with pytest.raises(UserError, match="count"):
        data.evenly_spaced(numbered(4), count)
