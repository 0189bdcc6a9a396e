"""The CIFAR-10 networks of Wiedeman & Wang (Patterns 2022, Fig. 13): pre-activation residual."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxadv.models.autoencoders import Autoencoder
from jaxadv.models.checks import image_batch, neck_indices, whole
from jaxadv.models.layers import Conv, Dense, Enlarge, batch_norm, layout
from jaxadv.models.model import Model, Outputs, of_linen
from jaxadv.models.pooling import max_pool
from jaxadv.types import Array, Indices, Variables


class Block(nn.Module):
    """BatchNorm → ReLU → conv, twice, plus the input; through a 1×1 conv where channels change."""

    features: int
    channels: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        norm = partial(batch_norm, train, axis=layout().channel)
        inner = Conv(self.features, self.channels, name="conv1")(nn.relu(norm("norm1")(x)))
        inner = Conv(self.features, self.features, name="conv2")(nn.relu(norm("norm2")(inner)))
        if self.features == self.channels:
            return inner + x
        return inner + Conv(self.features, self.channels, 1, name="skip")(x)


class _Bottleneck(nn.Module):
    """block(32) → block(7) → **features** → block(32) → block(32)."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> tuple[Array, Array]:
        features = Block(7, 32, name="block2")(Block(32, 32, name="block1")(x, train), train)
        x = Block(32, 7, name="block3")(features, train)
        return Block(32, 32, name="block4")(x, train), layout().leave(features)


def _side_by_side(necks: int) -> Any:
    """Bottlenecks whose parameters and running statistics have a leading axis of necks."""
    return nn.vmap(
        _Bottleneck,
        in_axes=(None, None),
        variable_axes={"params": 0, "batch_stats": 0},
        split_rngs={"params": True},
        axis_size=necks,
    )


class _Decoder(nn.Module):
    """enlarge → block(16) → enlarge → block(channels) → tanh."""

    channels: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        x = Block(16, 32, name="block1")(Enlarge(32, 32, name="enlarge1")(x), train)
        x = Block(self.channels, 16, name="block2")(Enlarge(16, 16, name="enlarge2")(x), train)
        return nn.tanh(x)


class ResidualDNAModule(nn.Module):
    """Encoder block(16)-pool-block(32)-pool, M bottlenecks, one decoder for all of them.

    Images `[B, H, W, C]` to `Outputs` with reconstructions `[necks, B, H, W, C]` (Wiedeman & Wang,
    Patterns 2022, Fig. 13). Images are taken to [−1, 1] inside, reconstructions back to [0, 1].
    **Features** are the 7 channels in the middle of each bottleneck: 7·8·8 = 448 of a 32×32 image.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module, x = models.ResidualDNAModule(necks=2), jnp.zeros((1, 32, 32, 3))
    >>> outputs, _ = jax.eval_shape(module.init_with_output, jax.random.key(0), x)
    >>> outputs.reconstruction.shape, outputs.taps["features"].shape
    ((2, 1, 32, 32, 3), (2, 1, 448))
    """

    necks: int = 2

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Outputs:
        image_batch(x, "the residual DNA", 4, multiple=4)
        form, channels = layout(), x.shape[-1]
        hidden = form.enter(2 * x - 1)
        hidden = max_pool(Block(16, channels, name="encode1")(hidden, train))
        hidden = max_pool(Block(32, 16, name="encode2")(hidden, train))
        hidden, features = _side_by_side(self.necks)(name="necks")(hidden, train)
        # One after another, as published: BatchNorm takes each neck's batch by itself.
        decoder = _Decoder(channels, name="decoder")
        made = [form.images(decoder(neck, train)) for neck in hidden]
        return Outputs(None, {"features": features}, (jnp.stack(made) + 1) / 2)


class ResidualClassifierModule(nn.Module):
    """conv(64)-ReLU-pool, block(128)-pool, block(256)-pool, block(512), max over what is left.

    Images `[B, H, W, C]` to logits `[B, num_classes]` (Wiedeman & Wang, Patterns 2022, Fig. 13). On
    a 32×32 image what is left is 4×4. **Features** are the 512 maxima.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.ResidualClassifierModule()
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> variables["params"]["linear"]["kernel"].shape
    (512, 10)
    """

    num_classes: int = 10

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        image_batch(x, "the residual classifier", 8)
        form = layout()
        hidden = Conv(64, x.shape[-1], pooled=True, name="conv")(form.enter(2 * x - 1))
        hidden = max_pool(Block(128, 64, name="block1")(hidden, train))
        hidden = max_pool(Block(256, 128, name="block2")(hidden, train))
        hidden = Block(512, 256, name="block3")(hidden, train)
        features = form.leave(jnp.max(hidden, axis=(1, 2), keepdims=True))
        self.sow("taps", "features", features)
        return Dense(self.num_classes, name="linear")(features)


def residual_dna(necks: int = 2) -> Autoencoder:
    """The paper's autoencoder for CIFAR-10; see `ResidualDNAModule`. One neck is its baseline, AE.

    Height and width must be multiples of 4.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.residual_dna().model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    134058

    Raises:
        UserError: if there is no neck; when initialised or applied, if an image cannot be halved
            twice.
    """
    whole(necks, "{} necks")
    model = of_linen(ResidualDNAModule(necks), "features", train_argument="train")

    def pick(variables: Variables, indices: Indices) -> tuple[Autoencoder, Variables]:
        neck_indices(indices, necks)

        def some(collection: dict[str, Any]) -> dict[str, Any]:
            chosen = jax.tree.map(lambda leaf: leaf[jnp.asarray(indices)], collection["necks"])
            return {**collection, "necks": chosen}

        return residual_dna(len(indices)), {k: some(v) for k, v in variables.items()}

    return Autoencoder(model, necks, pick)


def residual_classifier(num_classes: int = 10) -> Model:
    """The paper's classifier of CIFAR-10 reconstructions; see `ResidualClassifierModule`.

    Images have 8 pixels a side or more.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.residual_classifier().init, jax.random.key(0), jnp.zeros((1, 32, 32, 3))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    4829194

    Raises:
        UserError: fewer than 2 classes, or images that are smaller.
    """
    module = ResidualClassifierModule(whole(num_classes, "{} classes", 2))
    return of_linen(module, "features", train_argument="train")
