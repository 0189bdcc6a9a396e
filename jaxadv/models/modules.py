"""What a Flax module asks for when it is called, and Flax's errors in one line."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import flax.linen as nn
from flax import errors

from jaxadv.errors import UserError

Switch: TypeAlias = Callable[[bool], dict[str, bool]]

# what others call the argument that switches training behaviour
USUAL = ("train", "training", "is_training", "deterministic", "use_running_average", "inference")

_REMEDIES: dict[type[Exception], str] = {
    ValueError: "give use_running_average=not train, deterministic=not train, `train` an argument "
    "of the module's __call__ that `train_argument` names",
    errors.ScopeParamShapeError: "give images of the size and channels these variables were made "
    "for",
    errors.InvalidRngError: "give a random key when training, and let the module draw nothing in "
    "eval mode",
    errors.ModifyScopeVariableError: "let the module write its statistics only where its training "
    "is switched on, by an argument that `train_argument` names",
    errors.ScopeParamNotFoundError: "give the variables that this model's `init` made",
    errors.ScopeCollectionNotFound: "give the variables that this model's `init` made",
    errors.ScopeVariableNotFoundError: "give the variables that this model's `init` made",
}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Flax's errors as one line with a remedy."""
    try:
        yield
    except (errors.FlaxError, ValueError) as error:
        if not isinstance(error, errors.FlaxError) and "or at call time" not in str(error):
            raise
        said = " ".join(str(error).split(" (https://")[0].split()).rstrip(".")
        said = said.removeprefix("None ")  # the name of the outermost module
        remedy = _REMEDIES.get(type(error), "mend the module")
        raise UserError(f"Flax, applying the module: {said}: {remedy}") from error


def is_nnx(value: Any) -> bool:
    """Whether it is a module of Flax NNX, which is not imported for that."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(value, nnx.Module)


def switch_of(module: nn.Module, train_argument: str | None) -> Switch:
    """The keywords of the module's call in training and in eval mode, by whether it is training.

    train_argument: as `from_linen` has it.

    Raises:
        UserError: if this is no module that can be called with images alone, if it has no such
            argument.
    """
    _check_module(module)
    if not isinstance(train_argument, str | None):
        raise UserError(f"train_argument={train_argument!r}: give the argument's name, as text")
    name = (train_argument or "").removeprefix("not ").strip()
    inverted = name != (train_argument or "").strip()
    _check_call(module, name)
    return lambda train: {name: train != inverted} if name else {}


def _check_module(module: Any) -> None:
    if isinstance(module, type) and issubclass(module, nn.Module):
        raise UserError(f"from_linen({module.__name__}): give a module, {module.__name__}(…)")
    if is_nnx(module):
        raise UserError(
            f"from_linen({type(module).__name__}(…)) is a module of Flax NNX: give a Linen module, "
            "or attack the trained one, after `.eval()`, as a function `lambda x: model(x)`"
        )
    if not isinstance(module, nn.Module):
        raise UserError(f"from_linen of a {type(module).__name__}: give a Flax Linen module")
    if not callable(module):
        raise UserError(f"{type(module).__name__} has no __call__: let it map images to logits")


def _check_call(module: nn.Module, name: str) -> None:
    """name: of the argument that switches training; empty if there is none."""
    who, every = type(module).__name__, inspect.signature(module.__call__).parameters
    kinds = [parameter.kind for parameter in every.values()]
    beside = list(every.values())[1:]
    others = {p.name: p for p in beside if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    open_ended = inspect.Parameter.VAR_KEYWORD in kinds
    if name and name not in others and not open_ended:
        has = f"it has {sorted(others)}" if others else "it takes images alone"
        raise UserError(f"train_argument={name!r}: {who}.__call__ has no such argument; {has}")
    required = [k for k, p in others.items() if p.default is p.empty and k != name]
    if required and required[0] in USUAL:
        raise forgotten(module, required[0], name)
    if required:
        raise UserError(
            f"{who}.__call__ requires {required} beside images: give them defaults, or make them "
            "fields of the module"
        )


def forgotten(module: nn.Module, name: str, named: str) -> UserError:
    """name: of the argument that switches training. named: another that was given; or empty."""
    value = name if name in USUAL[:3] else f"not {name}"
    instead = f" in place of {named!r}, and let the module set the other by it" if named else ""
    return UserError(
        f"{type(module).__name__}.__call__ has the argument {name!r}, which would not be "
        f"switched on in training: give train_argument={value!r}{instead}"
    )
