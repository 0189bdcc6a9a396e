"""The logits of members as one array."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxadv.checks import numbers
from jaxadv.errors import UserError
from jaxadv.models.model import Outputs
from jaxadv.types import Array


def logits_of(outputs: Outputs) -> Array:
    """The logits `[B, C]` of one network.

    Raises:
        UserError: if it has none.
    """
    if outputs.logits is None:
        raise UserError("the model has no logits: give a classifier, or `pathways` with one")
    return outputs.logits


def joined(join: Callable[[list[Array]], Array], logits: Sequence[Array]) -> Array:
    """Members' logits as one array.

    join: of `jnp.stack`, for one `[B, C]` a member, and `jnp.concatenate`, for one `[M, B, C]` a
        group of members.

    Raises:
        UserError: if they are of different classes, or no logits.
    """
    for each in logits:
        if not hasattr(each, "dtype"):
            kind = type(each).__name__
            raise UserError(f"a member returned a {kind}: give functions that return logits alone")
        numbers("a member's logits", each, "give functions that return real numbers [B, classes]")
    shapes = [np.shape(each) for each in logits]
    if len({shape[-2:] for shape in shapes}) > 1 or any(len(shape) < 2 for shape in shapes):
        raise UserError(
            f"members' logits of shapes {', '.join(map(str, shapes))}: give members that return "
            "[B, classes] of the same classes"
        )
    return join(list(logits))
