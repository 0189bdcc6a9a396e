"""float32 means float32: GPUs and TPUs multiply matrices in fewer bits unless told otherwise."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import jax

_P = ParamSpec("_P")
_R = TypeVar("_R")


def in_float32(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """`function` with every matrix product inside it in full float32, on any backend."""

    @wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with jax.default_matmul_precision("float32"):
            return function(*args, **kwargs)

    return wrapped
