"""Networks as pure pairs of functions; Flax stays inside this package."""

from jaxadv.models.autoencoders import Autoencoder, DenseDNAModule, dna
from jaxadv.models.classifiers import (
    CNNModule,
    DNAClassifierModule,
    FCModule,
    LeNetModule,
    cnn,
    dna_classifier,
    fc,
    lenet,
)
from jaxadv.models.model import Model, Outputs, from_linen
from jaxadv.models.residual_autoencoder import (
    ResidualClassifierModule,
    ResidualDNAModule,
    residual_classifier,
    residual_dna,
)
from jaxadv.models.state_dicts import read_state_dict
from jaxadv.models.torch_weights import load_torch_weights

__all__ = [
    "Autoencoder",
    "CNNModule",
    "DNAClassifierModule",
    "DenseDNAModule",
    "FCModule",
    "LeNetModule",
    "Model",
    "Outputs",
    "ResidualClassifierModule",
    "ResidualDNAModule",
    "cnn",
    "dna",
    "dna_classifier",
    "fc",
    "from_linen",
    "lenet",
    "load_torch_weights",
    "read_state_dict",
    "residual_classifier",
    "residual_dna",
]
