"""Which examples stand for a whole data set."""

import numpy as np

from jaxadv.checks import check_whole
from jaxadv.data.dataset import Dataset, check_dataset


def evenly_spaced(dataset: Dataset, count: int) -> tuple[Dataset, np.ndarray]:
    """`count` examples spread evenly over a data set, and their indices `[count]` in it.

    Example i of them is number ⌊i·N / count⌋ of the N. A count of 0, or above N, gives all. The
    first ones would not stand for the whole, since files are not in random order: on MNIST's first
    1,000 test images PGD's rates differ by up to a tenth from those on every tenth image.

    >>> from jaxadv import data
    >>> test = data.load_dataset('digits').test
    >>> some, indices = data.evenly_spaced(test, 4)
    >>> print(some.images.shape, indices)
    (4, 8, 8, 1) [  0  90 180 270]

    Raises:
        UserError: if `count` is no whole number from 0, or this is no data set.
    """
    check_whole("count", count, 0)
    check_dataset(dataset)
    total = len(dataset.labels)
    size = min(int(count), total) or total
    indices = np.arange(size, dtype=np.int64) * total // size
    return Dataset(dataset.images[indices], dataset.labels[indices]), indices
