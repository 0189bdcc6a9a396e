"""jaxadv: why adversarial examples transfer, and how to train networks that fail differently.

The floors, imports running leftwards only:
data, models, ensemble, losses, attacks, training (defences), evaluation, metrics.
"""

__version__ = "0.1.0"
