"""What a network gives, and how it is read from what a Linen module returned and sowed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from jaxadv.errors import UserError
from jaxadv.models.checks import is_array
from jaxadv.types import Array

SOWN = ("taps", "intermediates")  # collections of what one pass shows, not variables


class Outputs(NamedTuple):
    """What one forward pass gives.

    logits: `[B, C]`; an autoencoder has none.
    taps: intermediate features by name, each `[B, …]`.
    reconstruction: an image `[B, H, W, C]` where the model makes one; `[M, B, H, W, C]` of M necks.

    >>> import numpy as np
    >>> from jaxadv import models
    >>> outputs = models.Outputs(np.zeros((5, 10)), {"features": np.zeros((5, 64))})
    >>> outputs.logits.shape, outputs.taps["features"].shape, outputs.reconstruction
    ((5, 10), (5, 64), None)
    """

    logits: Array | None
    taps: dict[str, Array]
    reconstruction: Array | None = None


def _captured(intermediates: Any, path: str) -> Array:
    """The output of the submodule at `path` ("Dense_1" or "block/Dense_0"), of its first call.

    Or what a submodule sowed there under that name.
    """
    node = intermediates
    for part in path.split("/"):
        if not isinstance(node, Mapping) or part not in node:
            level = sorted(k for k in node if k != "__call__") if isinstance(node, Mapping) else []
            raise UserError(
                f"feature layer {path!r} is not in the module; at this level it has "
                f"{level}: name one of these"
            )
        node = node[part]
    return (node["__call__"] if isinstance(node, Mapping) else node)[0]


def _of_module(returned: Any, batch: int, module: str) -> Outputs:
    """What a module returned, as `Outputs`.

    Raises:
        UserError: if its logits are not `[batch, C]`.
    """
    outputs = returned if isinstance(returned, Outputs) else Outputs(returned, {})
    logits = outputs.logits
    if logits is None and isinstance(returned, Outputs):
        return outputs
    if logits is None or not is_array(logits):
        of = f" of {len(logits)}" if isinstance(logits, tuple | list | dict) else ""
        raise UserError(
            f"{module} returned a {type(logits).__name__}{of}: let it return its logits alone, or "
            "jaxadv.models.Outputs(logits, {name: feature})"
        )
    if logits.ndim != 2 or len(logits) != batch or not jnp.issubdtype(logits.dtype, jnp.floating):
        raise UserError(
            f"{module} returned {logits.dtype} {logits.shape} for {batch} images: let it return "
            f"float logits [B, C], here ({batch}, C)"
        )
    if logits.shape[1] < 2:
        raise UserError(
            f"{module} returned logits {logits.shape}: give one a class, [0, s] in "
            "place of one logit s"
        )
    return outputs


def _check_feature(feature: Any, name: str, outputs: Outputs) -> None:
    if not is_array(feature):
        raise UserError(
            f"feature {name!r} is a {type(feature).__name__}: name one that is an array [B, …]"
        )
    if outputs.logits is not None and feature.shape[:1] != outputs.logits.shape[:1]:
        raise UserError(
            f"feature {name!r} is {feature.shape} of {len(outputs.logits)} images: name one that "
            "is [B, …]"
        )


def read(returned: Any, state: Any, name: str, batch: int, module: str) -> Outputs:
    """`Outputs` of a module's pass, the tap `name` among its taps.

    returned, state: of `module.apply`. batch: images. module: its name, for errors.

    Raises:
        UserError: if it returned something else, or has no such feature.
    """
    outputs = _of_module(returned, batch, module)
    sown = flatten_dict(state.get("taps", {}), sep="/")
    taps = {**outputs.taps, **{k: v[0] for k, v in sown.items()}}
    if name == "logits":
        taps["logits"] = outputs.logits
    elif name not in taps:
        taps[name] = _captured(state["intermediates"], name)
    if name != "logits":
        _check_feature(taps[name], name, outputs)
    return outputs._replace(taps=taps)
