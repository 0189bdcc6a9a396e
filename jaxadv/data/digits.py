"""The embedded dataset: scikit-learn's 1,797 handwritten digits of 8 by 8 pixels."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from jaxadv.data.arrays import checked
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.data.reader import Decoded


def read_digits() -> Decoded:
    """The digits in a fixed split of 1,437 and 360, stratified by class; needs no file.

    Values 0..16 are scaled to uint8 by x * 255 / 16, rounded. The split is scikit-learn's
    `train_test_split` with `random_state=0`, both sets in its shuffled order.
    """
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target
    entry = CATALOGUE["digits"]
    train, test = train_test_split(
        np.arange(len(labels)), test_size=entry.counts[1], stratify=labels, random_state=0
    )
    n_classes = len(entry.class_names)
    return Decoded(
        checked(images[train], labels[train], n_classes, "digits"),
        checked(images[test], labels[test], n_classes, "digits"),
    )
