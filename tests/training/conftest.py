"""Few images of the digits, and a training that has begun."""

import pytest

from jaxadv import training
from jaxadv.data import Dataset, load_dataset
from tests.training.made import ENSEMBLE, phase


@pytest.fixture(scope="module")
def digits() -> Dataset:
    train = load_dataset("digits").train
    return Dataset(train.images[:400], train.labels[:400])


@pytest.fixture(scope="module")
def begun(digits):
    """Phases and a state of theirs, for trainings that are refused: those leave it as it is."""
    phases = [phase()]
    return phases, training.init(ENSEMBLE.init, phases, digits, [0], {"strength": [0.0]})
