"""`Model(init, apply)`: a pure pair over a Flax Linen module.

Everything outside `jaxadv.models` sees only this pair. Normalisation belongs inside the model, so
that attacks and evaluation speak [0, 1].
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxadv.errors import UserError
from jaxadv.models.behaviour import passing_collections
from jaxadv.models.checks import floats, one_key, whole
from jaxadv.models.modules import Switch, in_one_line, switch_of
from jaxadv.models.outputs import SOWN, Outputs, read
from jaxadv.types import Array, Key, Variables


class Model(NamedTuple):
    """A network as two pure functions.

    init: `(key, x [B, H, W, C]) -> variables`, the parameters under `"params"`.
    apply: `(variables, x, *, train, key) -> (Outputs, variables)`. The variables come back with
        updated BatchNorm statistics when `train`, unchanged otherwise.
    feature: the name of the tap the paper decorrelates.
    cached: how many images' activations fit a CPU's cache, if that matters to the network's speed;
        else 0.

    >>> import jax.numpy as jnp
    >>> from jaxadv import models
    >>> def apply(variables, x, *, train=False, key=None):
    ...     logits = x @ variables["params"]["w"]
    ...     return models.Outputs(logits, {"logits": logits}), variables
    >>> linear = models.Model(lambda key, x: {"params": {"w": jnp.ones((3, 2))}}, apply, "logits")
    >>> outputs, _ = linear.apply(linear.init(None, None), jnp.ones((1, 3)))
    >>> outputs.taps[linear.feature].tolist()
    [[3.0, 3.0]]
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Outputs, Variables]]
    feature: str
    cached: int = 0


def _streams(key: Key | None) -> dict[str, Key] | None:
    """Random numbers for every stream a module may ask for: Flax falls back on "params"."""
    return None if key is None else {"dropout": key, "params": jax.random.fold_in(key, 1)}


def _linen_apply(module: nn.Module, switch: Switch, name: str) -> Callable[..., Any]:
    """`Model.apply` of a Linen module."""

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[Outputs, Variables]:
        floats(x)
        if key is not None:
            one_key(key)
        if train and not len(x):
            raise UserError("a batch of 0 images: training needs at least one")
        if not isinstance(variables, Mapping):
            raise UserError(f"variables are a {type(variables).__name__}: give those of `init`")
        given = {k: v for k, v in variables.items() if k not in SOWN}
        statistics = [k for k in given if k != "params"] if train else []
        with in_one_line():
            returned, state = module.apply(
                given,
                x,
                mutable=[*SOWN, *statistics],
                capture_intermediates=lambda sub, method: method == "__call__",
                rngs=_streams(key),
                **switch(train),
            )
        outputs = read(returned, state, name, len(x), type(module).__name__)
        return outputs, {**variables, **{k: state[k] for k in statistics if k in state}}

    return apply


def of_linen(
    module: nn.Module, feature: str | None = None, *, train_argument: str | None = ""
) -> Model:
    """`from_linen` of a module that is known to behave: its modes are not tried."""
    if not isinstance(feature, str | None):
        raise UserError(f"feature={feature!r}: give the name of a tap or a layer, as text")
    switch, name = switch_of(module, train_argument), feature or "logits"

    def init(key: Key, x: Array) -> Variables:
        one_key(key)
        floats(x)
        with in_one_line():
            made = module.init(key, x, **switch(False))
        return {k: v for k, v in made.items() if k not in SOWN}

    return Model(init, _linen_apply(module, switch, name), name)


def from_linen(
    module: nn.Module, feature: str | None = None, *, train_argument: str | None = ""
) -> Model:
    """A `Model` of any Linen module, jaxadv's own or the reader's.

    The module maps images `x [B, H, W, C]` to logits `[B, classes]` or to `Outputs`.

    feature: the layer whose features are to be decorrelated: what the module sows into the
        collection "taps" under that name, else the output of the submodule of that name
        ("Dense_1", "block/Dense_0"). None takes the logits as the features.
    train_argument: the name of the module's keyword that switches training behaviour (BatchNorm,
        dropout), such as "train"; "not deterministic" for a keyword that is False in training;
        empty if there is none. None says that the module stays in eval mode on purpose, a BatchNorm
        that is to keep its statistics, say.

    Random streams of any name follow the key. Collections that the module sows into are left out of
    the variables; others ("batch_stats", a spectral norm's) are updated in training.

    >>> import flax.linen as nn, jax, jax.numpy as jnp
    >>> from jaxadv import models
    >>> network = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(10)])
    >>> model, x = models.from_linen(network, "layers_0"), jnp.zeros((5, 3))
    >>> variables = jax.eval_shape(model.init, jax.random.key(0), x)
    >>> outputs, _ = jax.eval_shape(model.apply, variables, x)
    >>> outputs.logits.shape, outputs.taps["layers_0"].shape
    ((5, 10), (5, 64))

    Raises:
        UserError: if the module, its call or `train_argument` cannot be; when initialised, if
            BatchNorm or dropout do not train in training, or do in eval mode, or `feature` names
            neither a tap nor a submodule; when applied, to variables or images of another size.
    """
    model = of_linen(module, feature, train_argument=train_argument)

    def init(key: Key, x: Array) -> Variables:
        variables = model.init(key, x)
        passing = passing_collections(module, model.apply, train_argument, variables, x)
        return {k: v for k, v in variables.items() if k not in passing}

    return model._replace(init=init)


_CACHE_SIZED = 40  # images; 20 and 40 ran the CNN's training step faster than 100 on a CPU


def chunked(model: Model, size: int = _CACHE_SIZED) -> Model:
    """`model` applied to `size` images at a time on a CPU, so that activations stay in its cache.

    For models that treat each example alone (no BatchNorm in training); other backends get the
    whole batch.

    Raises:
        UserError: if `size` is no whole number of images.
    """
    whole(size, "chunks of {} images")

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[Outputs, Variables]:
        floats(x)
        if key is not None:
            one_key(key)
        count = len(x) // size
        if jax.default_backend() != "cpu" or count < 2:
            return model.apply(variables, x, train=train, key=key)

        def outputs(chunk: Array, number: Array | int) -> Outputs:
            chunk_key = None if key is None else jax.random.fold_in(key, number)
            return model.apply(variables, chunk, train=train, key=chunk_key)[0]

        chunks = x[: count * size].reshape(count, size, *x.shape[1:])
        whole = lax.map(lambda item: outputs(*item), (chunks, jnp.arange(count)))
        whole = jax.tree.map(lambda leaf: leaf.reshape(count * size, *leaf.shape[2:]), whole)
        if len(x) % size:
            rest = outputs(x[count * size :], count)
            whole = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), whole, rest)
        return whole, variables

    return Model(model.init, apply, model.feature, cached=size)
