"""The arrays of the published networks by their PyTorch names, and whether a file's fit them.

A size is a number where the architecture fixes it, and a word where it does not (image channels,
pixels, classes, the widths of dense layers): arrays that share a word share its size.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from jaxadv.errors import UserError
from jaxadv.models.state_dicts import Saved, StateDict

Size = int | str
Shapes = dict[str, tuple[Size, ...]]


def _weighted(name: str, *shape: Size) -> Shapes:
    """A convolution `[out, in, h, w]` or a linear layer `[out, in]`, and its bias."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, width: Size) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts}


def _block(name: str, out: Size, into: Size) -> Shapes:
    """A residual block; where its channels change it has a 1×1 convolution more."""
    convolutions = _weighted(f"{name}.c1", out, into, 3, 3) | _weighted(
        f"{name}.c2", out, out, 3, 3
    )
    skip = {} if out == into else _weighted(f"{name}.id", out, into, 1, 1)
    return convolutions | skip | _norm(f"{name}.bn1", into) | _norm(f"{name}.bn2", out)


def _cnn(convolutions: Sequence[str], linear: str, pooled: Size) -> Shapes:
    first, second, third = convolutions
    return {
        **_weighted(first, 8, "channels", 3, 3),
        **_weighted(second, 16, 8, 3, 3),
        **_weighted(third, 32, 16, 3, 3),
        **_weighted(linear, "classes", pooled),
    }


def _fc() -> Shapes:
    shapes = dict(_weighted("l6", "classes", "width 5"))
    for block in range(1, 6):
        width, before = f"width {block}", f"width {block - 1}" if block > 1 else "pixels"
        shapes |= _weighted(f"l{block}.0", width, before) | _norm(f"l{block}.2", width)
    return shapes


def _dense_dna(*necks: str) -> Shapes:
    shapes = {
        **_weighted("enc.enc.0", "width 1", "pixels"),
        **_weighted("enc.enc.2", "width 2", "width 1"),
        **_weighted("dec.dec.0", "width 5", "width 4"),
        **_weighted("dec.dec.2", "pixels", "width 5"),
    }
    for neck in necks:
        shapes |= _weighted(f"{neck}.L1", "features", "width 2")
        shapes |= _weighted(f"{neck}.L2", "width 4", "features")
    return shapes


def _residual_dna(*necks: str) -> Shapes:
    shapes = {
        **_block("enc.b1", 16, "channels"),
        **_block("enc.b2", 32, 16),
        **_block("dec.b1", 16, 32),
        **_block("dec.b2", "channels", 16),
    }
    for number, width in ((1, 32), (2, 16)):  # transposed: [in, out, h, w], of one width here
        shapes |= _weighted(f"dec.u{number}", width, width, 2, 2)
    for neck in necks:
        for number, (out, into) in enumerate(((32, 32), (7, 32), (32, 7), (32, 32))):
            shapes |= _block(f"{neck}.b{number}", out, into)
    return shapes


def _residual_classifier() -> Shapes:
    blocks = _block("r1", 128, 64) | _block("r2", 256, 128) | _block("r3", 512, 256)
    return {
        **_weighted("c1", 64, "channels", 3, 3),
        **blocks,
        **_weighted("classifier.2", "classes", 512),
    }


BOTH, ONE = ("bn1", "bn2"), ("bn",)  # the necks of the published DNA and AE
SHAPES: Mapping[str, Shapes] = {
    "cnn": _cnn(("c1", "c2", "c3"), "l", 32),
    "fc": _fc(),
    "dna": _dense_dna(*BOTH),
    "ae": _dense_dna(*ONE),
    "dna_classifier": _cnn(("c.0", "c.3", "c.6"), "c.10", "features"),
    "residual_dna": _residual_dna(*BOTH),
    "residual_ae": _residual_dna(*ONE),
    "residual_classifier": _residual_classifier(),
}


def fitting(state: Saved, architecture: str, path: Path) -> StateDict:
    """The architecture's arrays of a state dict as float32, single numbers beside them left out.

    Names may have a prefix more, as those of a network that is a part of another have.

    Raises:
        UserError: naming the array that is missing or too many, of another shape or type, or not
            finite.
    """
    state = _without_prefix(state, SHAPES[architecture])
    shapes = _without_needless_skips(SHAPES[architecture], state)
    whole = {name: _checked_array(state, name, architecture, path) for name in shapes}
    _check_no_more(state, shapes, architecture, path)
    sizes = _agreed(shapes, whole)
    for name, shape in shapes.items():
        wanted = tuple(sizes.get(size, size) for size in shape)
        if whole[name].shape != wanted:
            raise UserError(
                f"{path}: array {name!r} has shape {whole[name].shape}, expected "
                f"({', '.join(map(str, wanted))}) for {architecture!r}; give the weights of that "
                "architecture"
            )
    return {name: _float32(array, f"{path}: array {name!r}") for name, array in whole.items()}


def _without_prefix(state: Saved, shapes: Shapes) -> Saved:
    """The state dict itself, or what lies in it under the one prefix that holds the first array."""
    first = next(iter(shapes))
    prefixes = [name.removesuffix(first) for name in state if name.endswith(f".{first}")]
    if first in state or len(prefixes) != 1:
        return state
    bare = {name.removeprefix(prefixes[0]): array for name, array in state.items()}
    return bare if len(bare) == len(state) else state


def _check_no_more(state: Saved, shapes: Shapes, architecture: str, path: Path) -> None:
    """Another network may hold all arrays of this one; single numbers, an epoch say, are none."""
    arrays = [name for name, array in state.items() if len(getattr(array, "shape", ())) > 0]
    extra = [repr(name) for name in arrays if name not in shapes]
    if extra:
        raise UserError(
            f"{path}: {len(extra)} more arrays than the published {architecture!r} has: "
            f"{', '.join(extra[:4])}; give the weights of that architecture alone"
        )


def _checked_array(state: Saved, name: str, architecture: str, path: Path) -> np.ndarray:
    found = state.get(name)
    if found is None:
        has = ", ".join(map(repr, list(state)[:4])) or "no arrays"
        raise UserError(
            f"{path}: no array {name!r} in the state dict, so it is not the published "
            f"{architecture!r}; it has {has}, …"
        )
    if not isinstance(found, np.ndarray):
        raise UserError(
            f"{path}: array {name!r} is kept as {found.name!r}; save it as a tensor of floats, "
            "neither sparse nor quantised"
        )
    return found


def _without_needless_skips(shapes: Shapes, state: Saved) -> Shapes:
    """Images may have as many channels as a block: then it adds its input as it is."""

    def needless(name: str) -> bool:
        block, is_skip, _ = name.partition(".id.")
        inner = state.get(f"{block}.c1.weight")
        return bool(is_skip) and isinstance(inner, np.ndarray) and len(set(inner.shape[:2])) == 1

    return {name: shape for name, shape in shapes.items() if name in state or not needless(name)}


def _agreed(shapes: Shapes, state: StateDict) -> dict[Size, int]:
    """The size that most arrays give each word, so that the odd one out is found at fault."""
    votes: dict[str, Counter[int]] = {}
    for name, shape in shapes.items():
        if len(shape) == state[name].ndim:
            for size, found in zip(shape, state[name].shape, strict=True):
                if isinstance(size, str):
                    votes.setdefault(size, Counter())[found] += 1
    return {size: counted.most_common(1)[0][0] for size, counted in votes.items()}


def _float32(array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.type is np.void:
        raise UserError(
            f"{where} is of raw bytes, as NumPy saves bfloat16; save it as float32, "
            "array.astype(np.float32)"
        )
    if not jnp.issubdtype(array.dtype, jnp.floating):  # unlike NumPy, jax counts bfloat16 as one
        raise UserError(
            f"{where} is of type {array.dtype}, expected floating weights; save the network's own, "
            "neither quantised nor rounded"
        )
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserError(
            f"{where} has {np.sum(~np.isfinite(values))} values that are NaN or infinite; give "
            "weights from before training failed"
        )
    return values
