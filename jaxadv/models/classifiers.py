"""The MNIST classifiers of Wiedeman & Wang (Patterns 2022, Figs. 11 and 12 D) and Adam et al."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp

from jaxadv.models.checks import every_width, image_batch, whole
from jaxadv.models.layers import Conv, Dense, batch_norm, layout
from jaxadv.models.model import Model, chunked, of_linen
from jaxadv.types import Array

_CLASSES = "{} classes"


def _feature_of(blocks: int, number: int) -> int:
    """The number of a block of features, from 1 to how many the network has.

    Raises:
        UserError: if it is another.
    """
    return whole(number, f"feature block {{}}: the network has 1 to {blocks}", 1, blocks)


def _chosen(blocks: Sequence[Array], number: int) -> Array:
    """The output of the block of that number, counted from 1."""
    return blocks[_feature_of(len(blocks), number) - 1]


class CNNModule(nn.Module):
    """conv(8) → pool → conv(16) → pool → **features** → conv(32) → average pool → linear.

    Features are the output of block 2, or of 1 or 3 (before the average). The paper's 7×7 average
    pool covers a 28×28 image's whole last map, so it is written as the global average it is; 8×8
    digits then run too. Features on MNIST: 7·7·16 = 784.
    """

    num_classes: int = 10
    feature_block: int = 2

    @nn.compact
    def __call__(self, x: Array) -> Array:
        image_batch(x, "the CNN", 4)
        images = layout()
        first = Conv(8, x.shape[-1], pooled=True, name="conv1")(images.enter(x))
        second = Conv(16, 8, pooled=True, name="conv2")(first)
        third = nn.relu(Conv(32, 16, name="conv3")(second))
        features = _chosen((first, second, third), self.feature_block)
        self.sow("taps", "features", images.leave(features))
        pooled = images.leave(jnp.mean(third, axis=(1, 2), keepdims=True))
        return Dense(self.num_classes, name="linear")(pooled)


class DNAClassifierModule(nn.Module):
    """conv(8) → pool → conv(16) → pool → conv(32) → pool → **features** → linear.

    Reads the reconstructions of the dual-neck autoencoder. Features on MNIST: 3·3·32 = 288.
    """

    num_classes: int = 10

    @nn.compact
    def __call__(self, x: Array) -> Array:
        image_batch(x, "the DNA's classifier", 8)
        images = layout()
        x = Conv(8, x.shape[-1], pooled=True, name="conv1")(images.enter(x))
        x = Conv(16, 8, pooled=True, name="conv2")(x)
        features = images.leave(Conv(32, 16, pooled=True, name="conv3")(x))
        self.sow("taps", "features", features)
        return Dense(self.num_classes, name="linear")(features)


class LeNetModule(nn.Module):
    """conv(6) → pool → conv(16) → pool → 120 → **features** 84 → classes, ReLU after each.

    Adam et al. (2019, 5.1): 3×3 convolutions without padding. 400 values go into the dense part on
    MNIST. Features are the output of block 4, or of another.
    """

    num_classes: int = 10
    feature_block: int = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        image_batch(x, "LeNet", 10)
        images = layout()
        x = Conv(6, x.shape[-1], pooled=True, valid=True, name="conv1")(images.enter(x))
        first = images.leave(x)
        second = images.leave(Conv(16, 6, pooled=True, valid=True, name="conv2")(x))
        third = nn.relu(Dense(120, name="linear1")(second))
        fourth = nn.relu(Dense(84, name="linear2")(third))
        self.sow("taps", "features", _chosen((first, second, third, fourth), self.feature_block))
        return Dense(self.num_classes, name="linear")(fourth)


class FCModule(nn.Module):
    """in → 500 → 500 → 200 → 200 → 100 → classes; each hidden layer Linear → ReLU → BatchNorm.

    **Features** are the output of the fourth hidden block (200), or of another.
    """

    widths: tuple[int, ...] = (500, 500, 200, 200, 100)
    feature_block: int = 4
    num_classes: int = 10

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        image_batch(x, "the FC network", flat=True)
        x = x.reshape(x.shape[0], -1)
        blocks = []
        for block, width in enumerate(self.widths, start=1):
            x = batch_norm(train, name=f"norm{block}")(
                nn.relu(Dense(width, name=f"linear{block}")(x))
            )
            blocks.append(x)
        self.sow("taps", "features", _chosen(blocks, self.feature_block))
        return Dense(self.num_classes, name="linear")(x)


def cnn(num_classes: int = 10, feature_block: int = 2) -> Model:
    """The paper's CNN; see `CNNModule`. Images have 4 pixels a side or more."""
    module = CNNModule(whole(num_classes, _CLASSES, 2), _feature_of(3, feature_block))
    return chunked(of_linen(module, "features"))


def dna_classifier(num_classes: int = 10) -> Model:
    """The paper's classifier of MNIST reconstructions; see `DNAClassifierModule`.

    Images have 8 pixels a side or more.
    """
    return chunked(of_linen(DNAClassifierModule(whole(num_classes, _CLASSES, 2)), "features"))


def lenet(num_classes: int = 10, feature_block: int = 4) -> Model:
    """LeNet as Adam et al. have it; see `LeNetModule`. Images have 10 pixels a side or more."""
    module = LeNetModule(whole(num_classes, _CLASSES, 2), _feature_of(4, feature_block))
    return chunked(of_linen(module, "features"))


def fc(
    num_classes: int = 10,
    widths: tuple[int, ...] = (500, 500, 200, 200, 100),
    feature_block: int = 4,
) -> Model:
    """The paper's fully connected network; see `FCModule`."""
    hidden = every_width(widths)
    block = _feature_of(len(hidden), feature_block)
    module = FCModule(hidden, block, whole(num_classes, _CLASSES, 2))
    return of_linen(module, "features", train_argument="train")
