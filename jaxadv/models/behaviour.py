"""What a Flax module does in training and in eval mode, found on shapes when it is initialised.

A module whose training behaviour is never switched on, or is on where it should be off, trains and
predicts without an error, and wrongly.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from jax.dtypes import canonicalize_dtype

from jaxadv.errors import UserError
from jaxadv.models.modules import USUAL, forgotten
from jaxadv.types import Array, Key, Variables


def _check_forgotten(
    module: nn.Module, train_argument: str | None, variables: Variables, x: Any, key: Any
) -> None:
    """Refuse an argument that is known to switch training, is not named, and makes a difference.

    variables, x, key: shapes, to trace the module with.
    """
    parameters = inspect.signature(module.__call__).parameters
    named = (train_argument or "").removeprefix("not ")
    for name in [n for n in USUAL if n in parameters and n != named]:
        if not _idle(module, name, variables, x, key):
            raise forgotten(module, name, named)


def _idle(module: nn.Module, name: str, variables: Variables, x: Any, key: Any) -> bool:
    """Whether the module is the same program with this argument on and off."""

    def program(value: bool) -> str:
        def run(variables: Variables, x: Array, key: Key) -> Any:
            rngs = {"params": key, "dropout": key}
            return module.apply(variables, x, rngs=rngs, mutable=True, **{name: value})

        return str(jax.make_jaxpr(run)(variables, x, key))

    return program(True) == program(False)


class _Seen(NamedTuple):
    """A layer that behaves differently in training, and whether it did as in training."""

    kind: str
    trains: bool


def _layer(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Seen | None:
    """The layer that is being called, if it is one of Flax's that training switches."""
    kinds = {"use_running_average": nn.BatchNorm, "deterministic": nn.Dropout}
    kind = next((field for field, layer in kinds.items() if isinstance(module, layer)), None)
    if kind is None and isinstance(module, nn.MultiHeadDotProductAttention):
        kind = "deterministic"
    if kind is None or not getattr(module, "rate", getattr(module, "dropout_rate", True)):
        return None  # a dropout of nothing has nothing to switch
    given = inspect.signature(type(module).__call__).bind(module, *args, **kwargs).arguments
    off = given.get(kind)
    off = getattr(module, kind) if off is None else off
    named = "BatchNorm" if kind == "use_running_average" else "dropout"
    return _Seen(named, not off) if isinstance(off, bool) else None


def _watched(run: Callable[..., Any], *shapes: Any) -> tuple[list[_Seen], UserError | None, Any]:
    """The layers that `run` calls, traced on shapes alone; what stopped it, or what it returns."""
    seen: list[_Seen] = []

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        layer = _layer(context.module, args, kwargs) if context.method_name == "__call__" else None
        seen.extend([layer] if layer else [])
        return call(*args, **kwargs)

    with nn.intercept_methods(note):
        try:
            return seen, None, jax.eval_shape(run, *shapes)
        except UserError as error:
            return seen, error, None


def passing_collections(
    module: nn.Module,
    apply: Callable[..., Any],
    train_argument: str | None,
    variables: Variables,
    x: Array,
) -> set[str]:
    """Try both modes on shapes alone; the collections that grow with each step: sown ones.

    apply: the model's, of `module`. variables, x: those of its `init`.

    Raises:
        UserError: if what training switches is not switched, or either mode fails.
    """
    _check_bridge(module, variables)
    form = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, canonicalize_dtype(leaf.dtype))  # noqa: E731
    shapes = jax.tree.map(form, variables)
    images = jax.ShapeDtypeStruct((max(len(x), 1), *x.shape[1:]), canonicalize_dtype(x.dtype))
    moved: list[bool] = []

    def train(variables: Variables, x: Array, key: Key) -> Variables:
        updated = apply(variables, x, train=True, key=key)[1]
        before, after = (jax.tree.leaves(v.get("batch_stats", {})) for v in (variables, updated))
        moved.extend(new is not old for new, old in zip(after, before, strict=False))
        return updated

    def evaluate(variables: Variables, x: Array) -> Array | None:
        return apply(variables, x, train=False, key=None)[0].logits

    key = jax.eval_shape(jax.random.key, 0)
    if train_argument is not None:
        _check_forgotten(module, train_argument, shapes, images, key)
    training, failed, updated = _watched(train, shapes, images, key)
    evaluating, failed_too, _ = _watched(evaluate, shapes, images)
    _check_modes(module, train_argument, training, evaluating)
    for error in (failed, failed_too):
        if error is not None:
            raise error
    if moved and not any(moved) and train_argument is not None:
        raise _never_trains(module, "collection 'batch_stats'")
    grown = jax.tree.map(lambda leaf: None, updated)
    before = jax.tree.map(lambda leaf: None, shapes)
    return {k for k in shapes if before[k] != grown[k]}


def _check_modes(
    module: nn.Module, train_argument: str | None, training: list[_Seen], evaluating: list[_Seen]
) -> None:
    """Refuse layers that do not train in training, or train in eval mode.

    Raises:
        UserError: that names what to switch, and how.
    """
    kinds = list(dict.fromkeys(layer.kind for layer in (*training, *evaluating)))
    modes = [tuple(_Seen(kind, True) in seen for seen in (training, evaluating)) for kind in kinds]
    who = type(module).__name__
    for kind, (on, off) in zip(kinds, modes, strict=True):
        if off and not on:
            other = f"not {train_argument}".removeprefix("not not ")
            alone = (True, False) not in modes
            remedy = f"give train_argument={other!r}" if alone else "turn it round in the module"
            raise UserError(
                f"{train_argument!r} switches {who}'s {kind} to training in eval mode, and to eval "
                f"mode in training: {remedy}"
            )
        if off:
            raise UserError(
                f"{who}'s {kind} behaves as in training in eval mode too: {_remedy(module)}"
            )
        if not on and train_argument is not None:
            raise _never_trains(module, kind)


def _check_bridge(module: nn.Module, variables: Variables) -> None:
    """Refuse NNX modules under `nnx.bridge.ToLinen` that have running statistics.

    They normalise by the batch in eval mode too, and drop the update without an error.
    """
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(module, nnx.bridge.ToLinen) and "batch_stats" in variables:
        raise UserError(
            "an NNX module with BatchNorm, in nnx.bridge, cannot be switched between training and "
            "eval mode: write it in Linen, or attack the trained one after `.eval()` as a function"
        )


def _never_trains(module: nn.Module, what: str) -> UserError:
    """The error for a layer that stays in eval mode."""
    return UserError(
        f"{type(module).__name__}'s {what} stays in eval mode in training: {_remedy(module)}; "
        "if it is meant to stay so, train_argument=None"
    )


def _remedy(module: nn.Module) -> str:
    parameters = inspect.signature(module.__call__).parameters.items()
    flags = [name for name, parameter in parameters if isinstance(parameter.default, bool)]
    if flags:
        return f"name the argument that switches it, such as train_argument={flags[0]!r}"
    return (
        "give __call__ an argument `train`, its layers use_running_average=not train and "
        "deterministic=not train, and name it by train_argument='train'"
    )
