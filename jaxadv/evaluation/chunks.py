"""Examples a chunk at a time, so that memory is bounded whatever their number."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.checks import check_function, check_whole, numbers
from jaxadv.errors import UserError
from jaxadv.types import Array


def in_chunks(function: Callable[..., Any], size: int, *arrays: Array) -> Any:
    """`function(*chunk)` over chunks of `size` examples inside one program, joined again.

    function: of arrays `[size, …]` to one `[size, …]`, or a pytree of such.
    arrays: `[N, …]`, of one N; what comes back is `[N, …]` too.

    Bounds memory by the chunk. The last chunk is padded with copies of the first examples.

    A product of other rows is added up in another order on a CPU, so results hold to rounding and
    no further. Steps by the sign of a gradient that is nearly 0 may then go the other way: PGD's
    images differ in single pixels, with probabilities that agree within 0.005 and rates within
    0.002. The same chunk and number of examples give equal bits.

    >>> import jax.numpy as jnp
    >>> from jaxadv import evaluation
    >>> evaluation.in_chunks(lambda x: 10 * x, 2, jnp.arange(3)).tolist()
    [0, 10, 20]

    Raises:
        UserError: if there are no examples, arrays of different lengths, or `size` is no number of
            them.
    """
    check_whole("chunk", size, 1)
    check_function("chunks", function, "a function of arrays")
    found = [
        array if isinstance(array, jax.Array) else numbers("arrays", array, "give arrays [N, …]")
        for array in arrays
    ]
    lengths = {len(array) if array.ndim else 0 for array in found}
    if len(lengths) != 1 or 0 in lengths:
        raise UserError(f"arrays of {sorted(lengths)} examples: give all one length, at least 1")
    count = lengths.pop()
    size = min(size, count)
    chunks = -(-count // size)
    padded = [jnp.asarray(array)[jnp.arange(chunks * size) % count] for array in found]
    shaped = [array.reshape(chunks, size, *array.shape[1:]) for array in padded]
    joined = lax.map(lambda chunk: function(*chunk), tuple(shaped))
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * size, *leaf.shape[2:])[:count], joined)


def within_cache(chunk: int, cached: int, count: int) -> int:
    """Images to attack at once: on a CPU no more than its cache holds, in chunks of one size.

    chunk: at most. cached: as `Ensemble.cached`. count: of all images.

    All steps are then taken there, and no step loops over chunks, whose slices XLA would fuse into
    everything that reads them.
    """
    if not cached or jax.default_backend() != "cpu":
        return chunk
    chunks = -(-count // min(chunk, cached))
    return -(-count // chunks)
