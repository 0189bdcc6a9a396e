"""The dual-neck autoencoder of Wiedeman & Wang: one image, several encodings of it.

Every *pathway* goes from the image to a reconstruction of it. Pathways share the outer layers and
own the inner ones, the necks; with one neck it is a plain autoencoder.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxadv.errors import UserError
from jaxadv.models.checks import every_width, image_batch, neck_indices, whole
from jaxadv.models.layers import Dense
from jaxadv.models.model import Model, Outputs, of_linen
from jaxadv.types import Array, Indices, Variables


class Autoencoder(NamedTuple):
    """A model whose reconstructions `[M, B, H, W, C]` and features `[M, B, D]` come from M necks.

    model: its `Outputs` have no logits.
    necks: M.
    pick: `(variables, indices) -> (Autoencoder, variables)`, some of the pathways alone.

    `ensemble.pathways` joins it with a classifier.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> pair, x = models.dna(necks=2), jnp.zeros((5, 28, 28, 1))
    >>> variables = jax.eval_shape(pair.model.init, jax.random.key(0), x)
    >>> outputs, _ = jax.eval_shape(pair.model.apply, variables, x)
    >>> pair.necks, outputs.reconstruction.shape
    (2, (2, 5, 28, 28, 1))
    """

    model: Model
    necks: int
    pick: Callable[[Variables, Indices], tuple["Autoencoder", Variables]]


class DenseDNAModule(nn.Module):
    """784-100-128 → 128-**64**-128 → 128-100-784 on MNIST; ReLU after each layer, sigmoid at last.

    Images `[B, …]` to `Outputs` with reconstructions `[necks, B, …]` (Wiedeman & Wang, Patterns
    2022). **Features** `[necks, B, 64]` are the output of the third layer.

    unshared: how many of the six layers, the innermost, belong to each pathway alone. The paper's
        DNA has the two of the bottleneck; its Fig. 10 compares 2, 4 and 6.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.DenseDNAModule(necks=2)
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> variables["params"]["layer1"]["kernel"].shape, variables["params"]["layer3"]["kernel"].shape
    ((784, 100), (2, 128, 64))
    """

    necks: int = 2
    unshared: int = 2
    widths: tuple[int, ...] = (100, 128, 64, 128, 100)

    @nn.compact
    def __call__(self, x: Array) -> Outputs:
        image_batch(x, "the dense DNA", flat=True)
        widths = (*self.widths, math.prod(x.shape[1:]))
        own = _innermost(self.unshared, len(widths))
        features, hidden = x, x.reshape(1, len(x), -1)
        for layer, width in enumerate(widths):
            name = f"layer{layer + 1}"
            if layer in own:
                hidden = jnp.broadcast_to(hidden, (self.necks, *hidden.shape[1:]))
                hidden = _neckwise(width, name=name)(hidden)
            else:
                hidden = Dense(width, name=name)(hidden)
            hidden = (nn.sigmoid if layer == len(widths) - 1 else nn.relu)(hidden)
            if layer == len(widths) // 2 - 1:
                features = jnp.broadcast_to(hidden, (self.necks, *hidden.shape[1:]))
        return Outputs(None, {"features": features}, hidden.reshape(self.necks, *x.shape))


# Layers of every neck side by side, kernels `[M, in, out]`.
_neckwise = nn.vmap(Dense, variable_axes={"params": 0}, split_rngs={"params": True})


def _innermost(count: int, layers: int) -> range:
    return range((layers - count) // 2, (layers + count) // 2)


def dna(
    necks: int = 2, unshared: int = 2, widths: tuple[int, ...] = (100, 128, 64, 128, 100)
) -> Autoencoder:
    """The paper's autoencoder for MNIST; see `DenseDNAModule`. One neck is its baseline, AE.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.dna().model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    216664

    Raises:
        UserError: if there is no neck, or `unshared` is no even number of layers from 2 on.
    """
    widths = every_width(widths)
    layers = len(widths) + 1
    whole(necks, "{} necks")
    if whole(unshared, "{} unshared layers", 2, layers) % 2:
        raise UserError(f"{unshared} unshared layers: give an even number from 2 to {layers}")
    module = DenseDNAModule(necks, unshared, widths)
    own = [f"layer{layer + 1}" for layer in _innermost(unshared, layers)]

    def pick(variables: Variables, indices: Indices) -> tuple[Autoencoder, Variables]:
        neck_indices(indices, necks)
        take = partial(jax.tree.map, lambda leaf: leaf[jnp.asarray(indices)])
        params = variables["params"]
        chosen = {name: take(leaf) if name in own else leaf for name, leaf in params.items()}
        return dna(len(indices), unshared, widths), {**variables, "params": chosen}

    return Autoencoder(of_linen(module, "features"), necks, pick)
