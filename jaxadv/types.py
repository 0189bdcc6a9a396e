"""Names for what flows between the floors."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array | np.ndarray
Key: TypeAlias = jax.Array  # a typed key, `jax.random.key`
PyTree: TypeAlias = Any
Variables: TypeAlias = Any  # a pytree of a model's parameters and running statistics
Predict: TypeAlias = Callable[[Array], Array]  # images [B, …] to logits [B, C] or [M, B, C]
Indices: TypeAlias = Sequence[int] | Array  # of members; static, or traced of a static length
