"""The reader's door: which of my models fools which?"""

from jaxadv.matrix.matrix import transfer
from jaxadv.matrix.result import Transfer

__all__ = ["Transfer", "transfer"]
