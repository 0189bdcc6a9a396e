"""`jax.jit` as this library's programs are best compiled on the backend in use."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax

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
