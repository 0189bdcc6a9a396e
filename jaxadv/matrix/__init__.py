"""The reader's door: which of my models fools which?"""

from jaxadv.matrix.matrix import transfer
from jaxadv.matrix.result import Transfer
from jaxadv.matrix.sources import Models

__all__ = ["Models", "Transfer", "transfer"]
