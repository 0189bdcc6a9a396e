"""What a run draws from its seed, each stream folded in: no two share a key."""

from enum import IntEnum

import jax

from jaxadv.types import Array, Key


class Stream(IntEnum):
    """The initial weights, the training (epoch by epoch), attacks, DVERGE's layers."""

    WEIGHTS = 0
    TRAINING = 1
    ATTACKS = 2
    LAYERS = 3


def stream(seed: Array | int, which: Stream) -> Key:
    """The key of one of a run's streams."""
    return jax.random.fold_in(jax.random.key(seed), int(which))
