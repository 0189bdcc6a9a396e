"""Pairs of features whose regression is well understood."""

import numpy as np


def features(n: int, d: int, seed: int = 0, kind: str = "full") -> tuple[np.ndarray, np.ndarray]:
    """`Z1, Z2 [n, d]` float32: Gaussian Z1, and Z2 half predictable from it.

    kind: "full"; "duplicated" repeats every fourth column of Z1; "zero" zeroes seven of every
        eight columns, so that compaction takes the narrowest width.
    """
    rng = np.random.default_rng(seed)
    z1 = rng.normal(size=(n, d)) + 0.5
    if kind == "duplicated":
        z1[:, 3::4] = z1[:, 0::4]
    elif kind == "zero":
        z1[:, np.arange(d) % 8 != 5] = 0
    z2 = z1 @ rng.normal(size=(d, d)) / np.sqrt(d) + rng.normal(size=(n, d)) + 0.3
    return z1.astype(np.float32), z2.astype(np.float32)
