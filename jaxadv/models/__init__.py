"""Networks as pure pairs of functions; Flax stays inside this package."""

from jaxadv.models.autoencoders import Autoencoder, DenseDNAModule, dna
from jaxadv.models.classifiers import CNNModule, FCModule, cnn, fc
from jaxadv.models.model import Model, Outputs, from_linen
from jaxadv.models.torch_weights import load_torch_weights

__all__ = [
    "Autoencoder",
    "CNNModule",
    "DenseDNAModule",
    "FCModule",
    "Model",
    "Outputs",
    "cnn",
    "dna",
    "fc",
    "from_linen",
    "load_torch_weights",
]
