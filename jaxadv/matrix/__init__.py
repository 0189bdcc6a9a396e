"""The reader's door: which of my models fools which?"""

from jaxadv.matrix.matrix import Models, Transfer, transfer

__all__ = ["Models", "Transfer", "transfer"]
