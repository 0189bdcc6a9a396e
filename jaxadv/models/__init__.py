"""Networks as pure pairs of functions; Flax stays inside this package."""

from jaxadv.models.classifiers import CNNModule, FCModule, cnn, fc
from jaxadv.models.model import Model, Outputs, from_linen
from jaxadv.models.torch_weights import load_torch_weights

__all__ = [
    "CNNModule",
    "FCModule",
    "Model",
    "Outputs",
    "cnn",
    "fc",
    "from_linen",
    "load_torch_weights",
]
