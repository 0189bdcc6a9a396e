"""`fit`: an epoch is one compiled scan, and the runs of a study are one program.

A *run* is one seed with the scalars that vary between runs (λ, say). Training is a list of
phases taken in turn, on every batch or one after another over all of them: one phase for
decorrelation, two for alternating objectives. What a phase does not train stays as it is; its loss
applies that part in eval mode.
"""

from jaxadv.phases import Phase, State, is_parameter
from jaxadv.training.epochs import epoch
from jaxadv.training.loop import fit
from jaxadv.training.start import init, onward

__all__ = ["Phase", "State", "epoch", "fit", "init", "is_parameter", "onward"]
