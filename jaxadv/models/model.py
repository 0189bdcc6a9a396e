"""`Model(init, apply)`: a pure pair over a Flax Linen module.

Everything outside `jaxadv.models` sees only this pair. Normalisation belongs inside the model, so
that attacks and evaluation speak [0, 1].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jax import lax

from jaxadv.errors import UserError
from jaxadv.types import Array, Key, Variables


class Outputs(NamedTuple):
    """What one forward pass gives.

    logits: `[B, C]`; an autoencoder has none.
    taps: named intermediate features, each `[B, …]`.
    reconstruction: an image `[B, H, W, C]` where the model makes one; `[M, B, H, W, C]` of M necks.
    """

    logits: Array | None
    taps: dict[str, Array]
    reconstruction: Array | None = None


class Model(NamedTuple):
    """A network as two pure functions.

    init: `(key, x [B, H, W, C]) -> variables`, the parameters under `"params"`.
    apply: `(variables, x, *, train, key) -> (Outputs, variables)`; the variables come back with
        updated BatchNorm statistics when `train`, unchanged otherwise.
    feature: the name of the tap the paper decorrelates.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Outputs, Variables]]
    feature: str


def _captured(intermediates: Any, path: str) -> Array:
    """The output of the submodule at `path` ("Dense_1" or "block/Dense_0")."""
    node = intermediates
    for part in path.split("/"):
        if part not in node:
            raise UserError(
                f"feature layer {path!r} is not in the module; at this level it has "
                f"{sorted(k for k in node if k != '__call__')}: name one of these"
            )
        node = node[part]
    return node["__call__"][0]


def from_linen(module: nn.Module, feature: str | None = None, *, train_argument: str = "") -> Model:
    """A `Model` of any Linen module, jaxadv's own or the reader's.

    The module maps `x` to logits or to `Outputs`. Features are what it sows into the collection
    "taps", and the output of the submodule named `feature` ("Dense_1", "block/Dense_0") if that is
    no sown tap. `feature=None` takes the logits as the features.

    train_argument: the name of the module's keyword that switches training behaviour (BatchNorm,
        dropout), such as "train"; empty if it has none.

    Raises:
        UserError: when applied, if `feature` names neither a tap nor a submodule.
    """
    name = feature or "logits"

    def keywords(train: bool) -> dict[str, bool]:
        return {train_argument: train} if train_argument else {}

    def init(key: Key, x: Array) -> Variables:
        variables = module.init(key, x, **keywords(False))
        return {k: v for k, v in variables.items() if k not in ("taps", "intermediates")}

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[Outputs, Variables]:
        statistics = [k for k in variables if k != "params"] if train else []
        output, state = module.apply(
            variables,
            x,
            mutable=["taps", "intermediates", *statistics],
            capture_intermediates=lambda sub, method: method == "__call__",
            rngs={"dropout": key} if key is not None else None,
            **keywords(train),
        )
        outputs = output if isinstance(output, Outputs) else Outputs(output, {})
        sown = flatten_dict(state.get("taps", {}), sep="/")
        taps = {**outputs.taps, **{k: v[0] for k, v in sown.items()}}
        if name == "logits":
            taps["logits"] = outputs.logits
        elif name not in taps:
            taps[name] = _captured(state["intermediates"], name)
        updated = {k: state[k] for k in statistics if k in state}
        return outputs._replace(taps=taps), {**variables, **updated}

    return Model(init, apply, name)


CACHE_SIZED = 40  # images; 20 and 40 ran the CNN's training step faster than 100 on a CPU


def chunked(model: Model, size: int = CACHE_SIZED) -> Model:
    """`model` applied to `size` images at a time on a CPU, so that activations stay in its cache.

    For models that treat each example alone (no BatchNorm in training); other backends get the
    whole batch.
    """

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[Outputs, Variables]:
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

    return Model(model.init, apply, model.feature)
