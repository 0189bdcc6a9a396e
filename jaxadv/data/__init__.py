"""Labelled images: the named datasets and a user's own arrays, read, checked and cached."""

from jaxadv.data.arrays import from_arrays
from jaxadv.data.catalogue import DATASETS
from jaxadv.data.dataset import Dataset, Splits
from jaxadv.data.load import load_dataset
from jaxadv.data.sample import evenly_spaced

__all__ = ["DATASETS", "Dataset", "Splits", "evenly_spaced", "from_arrays", "load_dataset"]
