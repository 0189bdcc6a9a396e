"""`jax.jit` as this library's programs are best compiled on the backend in use."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
from jax import lax

# XLA:CPU hands chains of small matrix products to YNNPACK as one, which runs them more slowly than
# one after another: by 10 to 20 % in dense networks.
CPU_OPTIONS: Mapping[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}


def jit(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit(function, **options)` for a whole program: not to be called inside another.

    An option that the installed XLA does not know is left out.
    """
    wanted = CPU_OPTIONS if jax.default_backend() == "cpu" else {}
    chosen = {name: value for name, value in wanted.items() if _known(name, value)}
    return jax.jit(function, compiler_options=chosen or None, **options)


@cache
def _known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


# Convolutions in all steps together, beyond which compiling them costs more than a loop loses.
UNROLLED = 400


def repeated(step: Callable[[Any, Any], Any], carry: Any, count: int) -> Any:
    """`step(number, carry) -> carry`, so many times: a loop, or on a CPU the steps themselves.

    XLA:CPU runs a convolution's gradients slower in a loop than outside: steps that hold `lax`
    convolutions follow one another unrolled, up to `UNROLLED` of these in all. PGD-10 of a small
    Flax CNN on the digits then took half of the time, PGD-40 nine tenths.
    """
    if count == 1:
        return step(0, carry)
    unroll = False
    if jax.default_backend() == "cpu" and 1 < count <= UNROLLED:
        jaxpr = jax.make_jaxpr(step)(0, carry)
        unroll = 0 < count * _convolutions(jaxpr.jaxpr) <= UNROLLED
    return lax.fori_loop(0, count, step, carry, unroll=unroll)


def _convolutions(jaxpr: Any) -> int:
    """How many `lax` convolutions stand in a program, those of inner programs among them."""
    inner = [
        part
        for equation in jaxpr.eqns
        for value in equation.params.values()
        for part in (value if isinstance(value, tuple | list) else [value])
    ]
    below = [getattr(part, "jaxpr", part) for part in inner]
    here = sum(equation.primitive.name == "conv_general_dilated" for equation in jaxpr.eqns)
    return here + sum(_convolutions(part) for part in below if hasattr(part, "eqns"))
