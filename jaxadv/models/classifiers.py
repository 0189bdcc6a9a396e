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

    Images `[B, H, W, C]` to logits `[B, num_classes]` (Wiedeman & Wang, Patterns 2022, Fig. 11).

    feature_block: the block whose output is the features, 1, 2 or 3 (3 is before the average). On
        MNIST those of block 2 are 7·7·16 = 784.

    The paper's 7×7 average pool covers the whole last map of a 28×28 image. Here it is the global
    average, so that 8×8 digits run too.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.CNNModule(num_classes=10)
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> variables["params"]["linear"]["kernel"].shape
    (32, 10)
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

    Images `[B, H, W, C]` to logits `[B, num_classes]` (Wiedeman & Wang, Patterns 2022, Fig. 12 D).
    It reads the reconstructions of the dual-neck autoencoder. Features on MNIST: 3·3·32 = 288.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.DNAClassifierModule()
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> variables["params"]["linear"]["kernel"].shape
    (288, 10)
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

    Images `[B, H, W, C]` to logits `[B, num_classes]` (Adam et al. 2019, 5.1), with 3×3
    convolutions without padding. On MNIST 400 values go into the dense part.

    feature_block: the block whose output is the features, 1 to 4.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.LeNetModule()
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> variables["params"]["linear1"]["kernel"].shape
    (400, 120)
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

    Images `[B, …]`, flattened, to logits `[B, num_classes]` (Wiedeman & Wang, Patterns 2022,
    Fig. 11).

    feature_block: the hidden block whose output is the **features**, from 1; the fourth has 200.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> module = models.FCModule(widths=(20, 10), feature_block=1)
    >>> variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
    >>> variables["params"]["linear1"]["kernel"].shape
    (784, 20)
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
    """The paper's CNN; see `CNNModule`. Images have 4 pixels a side or more.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.cnn().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    6218

    Raises:
        UserError: fewer than 2 classes, no such block, or images that are smaller.
    """
    module = CNNModule(whole(num_classes, _CLASSES, 2), _feature_of(3, feature_block))
    return chunked(of_linen(module, "features"))


def dna_classifier(num_classes: int = 10) -> Model:
    """The paper's classifier of MNIST reconstructions; see `DNAClassifierModule`.

    Images have 8 pixels a side or more.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.dna_classifier().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    8778

    Raises:
        UserError: fewer than 2 classes, or images that are smaller.
    """
    return chunked(of_linen(DNAClassifierModule(whole(num_classes, _CLASSES, 2)), "features"))


def lenet(num_classes: int = 10, feature_block: int = 4) -> Model:
    """LeNet as Adam et al. have it; see `LeNetModule`. Images have 10 pixels a side or more.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.lenet().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    60074

    Raises:
        UserError: fewer than 2 classes, no such block, or images that are smaller.
    """
    module = LeNetModule(whole(num_classes, _CLASSES, 2), _feature_of(4, feature_block))
    return chunked(of_linen(module, "features"))


def fc(
    num_classes: int = 10,
    widths: tuple[int, ...] = (500, 500, 200, 200, 100),
    feature_block: int = 4,
) -> Model:
    """The paper's fully connected network; see `FCModule`. Images are flattened.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> variables = jax.eval_shape(
    ...     models.fc().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1))
    ... )
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    807510

    Raises:
        UserError: fewer than 2 classes, no such block, or widths that are no list of sizes.
    """
    hidden = every_width(widths)
    block = _feature_of(len(hidden), feature_block)
    module = FCModule(hidden, block, whole(num_classes, _CLASSES, 2))
    return of_linen(module, "features", train_argument="train")
