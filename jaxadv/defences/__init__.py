"""Ways to make members differ, each a training phase, one file each."""

from jaxadv.defences.decorrelation import decorrelation, ramp
from jaxadv.defences.parametric_distance import parametric_distance
from jaxadv.defences.regularised import regularised

__all__ = ["decorrelation", "parametric_distance", "ramp", "regularised"]
