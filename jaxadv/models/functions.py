"""A trained network of the reader's as a plain function `x -> logits`."""

import sys
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
from flax.errors import TraceContextError

from jaxadv.errors import UserError
from jaxadv.models.model import Model
from jaxadv.models.modules import is_nnx
from jaxadv.types import Array, Predict


@dataclass(frozen=True)
class _PlainFunction:
    """A function of images whose Flax NNX module must not train; two of one function are equal."""

    function: Predict

    def __call__(self, x: Array) -> Array:
        """Raises `UserError` where an NNX module would change itself in a compiled program."""
        try:
            return self.function(x)
        except TraceContextError as error:
            raise UserError(
                "the function changes an NNX module when called, as in train mode: call the "
                "module's `.eval()` first"
            ) from error


def plain_function(function: Any) -> Predict:
    """What may stand where a trained network is wanted.

    Raises:
        UserError: if it is a `Model`, a Linen module, a class or no function, or an NNX module that
            is still in train mode, where it couples the images of a batch; when called, if it is a
            function of such a one.
    """
    kind = type(function).__name__
    if isinstance(function, _PlainFunction):
        return function
    if isinstance(function, Model):
        raise UserError(
            "a Model where a function is wanted: give lambda x: model.apply(variables, x)[0].logits"
        )
    if isinstance(function, nn.Module):
        raise UserError(
            f"a Linen module, {kind}, where a function is wanted: give lambda x: "
            "module.apply(variables, x)"
        )
    if isinstance(function, type) or not callable(function):
        shown = function.__name__ if isinstance(function, type) else kind
        raise UserError(f"{shown} where a function is wanted: give one of images to logits")
    for named in (function, getattr(function, "__self__", None)):
        layer = _in_train_mode(named) if is_nnx(named) else ""
        if layer:
            raise UserError(
                f"the NNX module {type(named).__name__} is in train mode ({layer}): call its "
                "`.eval()` first"
            )
    return _PlainFunction(function)


def _in_train_mode(module: Any) -> str:
    """The first layer that trains, or nothing."""
    for _, layer in sys.modules["flax.nnx"].iter_modules(module):
        off = getattr(layer, "use_running_average", getattr(layer, "deterministic", None))
        if off is False and getattr(layer, "rate", True):
            return type(layer).__name__
    return ""
