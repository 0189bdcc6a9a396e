import numpy as np

from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import EnsembleOutputs
from jaxadv.losses import classify, reconstruct


def test_classify_by_hand():
    logits = np.log(np.float32([[[1, 3], [1, 1]], [[1, 1], [3, 1]]]))
    losses, metrics = classify(EnsembleOutputs(logits, ()), Dataset(np.zeros(2), np.array([1, 0])))
    # member 1: 3/4 and 1/2; member 2: 1/2 and 3/4
    np.testing.assert_allclose(losses, [-np.log(3 / 8) / 2] * 2, rtol=1e-6)
    np.testing.assert_allclose(metrics["accuracy"], (1 + 0.5) / 2)  # a tie goes to class 0


def test_reconstruct_by_hand():
    images = np.zeros((2, 1, 2, 1), np.float32)
    made = np.stack([images + 1, images + np.float32([[[[0], [2]]], [[[0], [0]]]])])
    outputs = EnsembleOutputs(np.zeros((2, 2, 3)), (), made)
    losses, metrics = reconstruct(outputs, Dataset(images, np.zeros(2, int)))
    np.testing.assert_allclose(losses, [1, 1])
    np.testing.assert_allclose(metrics["mse"], 1)
