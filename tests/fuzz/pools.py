"""Pools of arguments: those the API promises to take, and what users give in their place."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.attacks import example_keys
from jaxadv.data.dataset import Dataset, Splits
from jaxadv.models import fc
from tests.fuzz.draw import Draw

COUNTS = (1, 2, 3, 5, 6)  # of examples; never 4, which is the side of the images
SHAPE = (4, 4, 1)
KEY = jax.random.key(0)


def wide(array: Any) -> np.ndarray:
    """Any float array in float64."""
    return np.asarray(array).astype(np.float64)


def floats(array: np.ndarray) -> dict[str, Any]:
    """The same numbers in the types that users have."""
    return {
        "float32": np.float32(array),
        "jax": jnp.float32(array),
        "float64": np.float64(array),
        "float16": np.float16(array),
        "bfloat16": jnp.bfloat16(array),
    }


def junk(*without: str) -> dict[str, Any]:
    """What is no array of numbers at all."""
    every: dict[str, Any] = {
        "None": None,
        "text": "seven",
        "dict": {"x": 1},
        "object": object(),
        "texts": np.array(["a", "b"]),
        "ragged": [[1.0], [2.0, 3.0]],
        "lambda": lambda x: x,
        "complex": np.ones((3, 3), complex),
        "a key": jax.random.key(7),
        "class": dict,
        "NaN": float("nan"),
    }
    return {name: value for name, value in every.items() if name not in without}


def put(array: Any, value: float) -> np.ndarray:
    """A copy whose first entry is another."""
    copied = np.array(array)
    copied.reshape(-1)[0] = value
    return copied


def images(draw: Draw, n: int, low: Any = 0.0, high: Any = 1.0, shape: Any = SHAPE) -> Any:
    """Images `[n, …]` in [low, high], or what is none."""
    share = draw.rng.uniform(size=(n, *shape)) * 0.98 + 0.01  # half precision rounds outwards
    x = low + (np.asarray(high) - low) * np.where(share > 0.9, 0.99, share)
    size = float(np.max(np.asarray(high) - low))
    bad = {
        **junk(),
        "uint8": np.uint8(255 * share),
        "int32": np.int32(255 * share),
        "bool": share > 0.5,
        "with NaN": put(x, np.nan),
        "with inf": put(x, np.inf),
        "far above": np.float32(x + 300 * size),
        "negative": np.float32(x - 2 * size),
        "just above": put(np.float32(x), np.max(high) + 0.001 * size),
        "one flat image": np.float32(x[0]).ravel(),
        "empty": np.float32(x[:0]),
        "complex images": x.astype(complex),
        "texts": x.astype(str),
        "objects": x.astype(object),
        "a data set": Dataset(np.float32(x), np.zeros(n, int)),
    }
    return draw.pick("x", floats(x), bad, {"list": x.tolist(), "one image": np.float32(x[0])})


def bad_labels(n: int, classes: int) -> dict[str, Any]:
    """What users give for labels `[n]` of so many classes."""
    y = np.arange(n) % classes
    return {
        **junk(),
        "[N, 1]": y[:, None],
        "one-hot": np.eye(classes, dtype=int)[y],
        "float": np.float32(y),
        "text labels": y.astype(str),
        "negative": put(y, -1),
        "beyond": put(y, classes),
        "huge": put(y, 2**31 + 5),
        "one more": np.arange(n + 1) % classes,
        "a number": 0,
        "bool": y > 0,
        "scores": np.full((n, classes), 1 / classes),
        "empty": y[:0],
    }


def labels(draw: Draw, n: int, classes: int, name: str = "labels") -> Any:
    """Class indices `[n]`, or what is none."""
    y = draw.rng.integers(0, classes, n)
    good = {
        "int32": np.int32(y),
        "int64": y,
        "uint8": np.uint8(y),
        "jax": jnp.int32(y),
        "int8": np.int8(y),
    }
    return draw.pick(name, good, bad_labels(n, classes), {"list": y.tolist()})


def radius(draw: Draw, n: int, scale: float = 1.0, name: str = "eps") -> Any:
    """A radius or a step, or what is none."""
    r = draw.among([0.0, 0.01, 0.1, 0.3, 2.0]) * scale
    good = {
        f"{r}": r,
        f"float32 {r}": np.float32(r),
        f"float64 {r}": np.float64(r),
        f"jax {r}": jnp.float32(r),
        "int 1": 1,
        "numpy int 1": np.int64(1),
        f"float16 {r}": np.float16(r),
        f"[B] {r}": np.full(n, r),
        f"jax [B] {r}": jnp.full(n, r),
    }
    bad = {
        **junk(),
        "-0.1": -0.1,
        "nan": float("nan"),
        "inf": np.inf,
        "text 0.1": "0.1",
        "True": True,
        "[B + 1]": np.full(n + 1, r),
        "[B, 1] of many": np.full((n, 1), r),
        "list": [r],
        "negative array": put(np.full(n, r), -1e-3),
        "jax nan": jnp.float32(np.nan),
    }
    return draw.pick(name, good, bad)


def whole(draw: Draw, name: str, good: Any, least: int = 1) -> Any:
    """A count, or what is none."""
    bad = {
        **junk("NaN"),
        "-1": -1,
        "2.5": 2.5,
        "2.0": 2.0,
        "text 3": "3",
        "True": True,
        "inf": np.inf,
        "list": [3],
        "2^40": 2**40,
    }
    if least > 0:
        bad["0"] = 0
    fit = {**{str(g): g for g in good}, **{f"numpy {g}": np.int64(g) for g in good}}
    return draw.pick(name, fit, bad, {"jax": jnp.int32(good[0])})


BOUNDS: dict[str, Any] = {
    "unit": (0.0, 1.0),
    "list": [0, 1],
    "array": np.array([0.0, 1.0]),
    "normalised": (-2.1, 2.2),
    "bytes": (0, 255),
    "a channel": (np.array([-1.5]), np.array([2.5])),
    "numpy": (np.float32(0), np.int64(1)),
    "tuples": ((-1.0,), (1.0,)),
}
BAD_BOUNDS: dict[str, Any] = {
    **junk(),
    "reversed": (1, 0),
    "equal": (0, 0),
    "nan": (0, np.nan),
    "infinite": (-np.inf, np.inf),
    "three": (0, 0.5, 1),
    "Nones": (None, None),
    "two channels": ((0.0, 0.0), (1.0, 1.0)),
    "texts": ("0", "one"),
    "empty": ((), ()),
    "number": 1.0,
}


def keys(draw: Draw, n: int, needed: bool) -> Any:
    """One key an example, or what is none; where none is needed all may be given."""
    good = {"keys": example_keys(KEY, np.arange(n))}
    if not needed:
        return draw.pick("keys", {**good, "None": None}, {})
    bad = {
        **junk(),
        "one key": KEY,
        "raw": jax.random.PRNGKey(0),
        "one less": example_keys(KEY, np.arange(n + 1)),
        "int": 0,
        "raw keys": jax.random.split(jax.random.PRNGKey(0), n),
    }
    return draw.pick("keys", good, bad)


def key(draw: Draw, name: str = "key") -> Any:
    """One typed key, or what is none."""
    bad = {
        **junk("a key"),
        "int": 0,
        "raw": jax.random.PRNGKey(0),
        "several": jax.random.split(KEY, 3),
    }
    return draw.pick(name, {"key": KEY, "rbg": jax.random.key(1, impl="rbg")}, bad)


def dataset(draw: Draw, n: int, classes: int) -> Any:
    """A data set of images in [0, 1], or what is none."""
    share = draw.rng.uniform(size=(n, *SHAPE))
    share[0] = 0.5  # not black and white alone
    y = draw.rng.integers(0, classes, n)
    x, data = np.float32(share), Dataset(np.float32(share), np.int32(y))
    splits = Splits("a", "a", "arrays", data, data, tuple("abc"))
    good = {
        "float32": data,
        "uint8": Dataset(np.uint8(255 * share), y),
        "jax": Dataset(jnp.asarray(x), jnp.asarray(y)),
        "float64": Dataset(share, y),
        "float16": Dataset(np.float16(share), y),
        "int64 pixels": Dataset(np.int64(255 * share), y),
    }
    bad_y = {k: Dataset(x, v) for k, v in bad_labels(n, classes).items()}
    bad = {
        **junk(),
        **{f"labels {k}": v for k, v in bad_y.items()},
        "splits": splits,
        "pair": (x, y),
        "list": [x, y],
        "swapped": Dataset(y, x),
        "empty": Dataset(x[:0], y[:0]),
        "NaN images": Dataset(put(x, np.nan), y),
        "300": Dataset(np.int32(300 * share) + 1000, y),
        "negative": Dataset(-np.int32(255 * share) - 1, y),
        "bool": Dataset(share > 0.5, y),
        "complex": Dataset(x.astype(complex), y),
        "texts": Dataset(x.astype(str), y),
        **{f"images {k}": Dataset(v, y) for k, v in junk().items()},
    }
    odd = {"0..255": Dataset(255 * x, y), "lists": Dataset(x.tolist(), y.tolist())}
    return draw.pick("dataset", good, bad, odd)


def model(classes: int = 3) -> Any:
    """A small network."""
    return fc(classes, (6, 5), feature_block=2)
