"""Ways to make members differ, each a training phase or several, one file each."""

from jaxadv.defences.adp import adp
from jaxadv.defences.decorrelation import decorrelation, ramp
from jaxadv.defences.dverge import dverge
from jaxadv.defences.gal import gal
from jaxadv.defences.gradient_alignment import GOALS, gradient_alignment
from jaxadv.defences.gradient_magnitude import gradient_magnitude
from jaxadv.defences.parametric_distance import parametric_distance
from jaxadv.defences.regularised import Step, Updates, regularised

__all__ = [
    "GOALS",
    "Step",
    "Updates",
    "adp",
    "decorrelation",
    "dverge",
    "gal",
    "gradient_alignment",
    "gradient_magnitude",
    "parametric_distance",
    "ramp",
    "regularised",
]
