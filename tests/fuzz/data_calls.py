"""Calls of `data.from_arrays`, `check_dataset` and the batches."""

from typing import Any

import numpy as np

from jaxadv import data
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_dataset
from tests.fuzz import pools
from tests.fuzz.draw import Call, Draw, same

CLASSES = 3
N = 6


def pixels(draw: Draw, name: str) -> Any:
    """Images for a user's data set, or what is none."""
    share = draw.rng.uniform(size=(N, 6, 5, 1))
    share[0, 0, 0], share[0, 0, 1] = 1, 0
    x = np.float32(share)
    good = pools.floats(share) | {"no channel": x[..., 0], "list": x.tolist()}
    bad = {
        **pools.junk(),
        "uint16": np.uint16(60000 * share),
        "int64": np.int64(255 * share),
        "bool": share > 0.5,
        "uint8 of 0 and 1": np.uint8(share > 0.5),
        "0..255 floats": 255 * x,
        "normalised": 2 * x - 1,
        "NaN": pools.put(x, np.nan),
        "channels first": np.float32(np.repeat(share, 3, -1)).transpose(0, 3, 1, 2),
        "flat": x.reshape(N, -1),
        "labels": np.arange(N) % CLASSES,
        "empty": x[:0],
        "texts of each": x.astype(str),
        "objects": x.astype(object),
        "complex": x.astype(complex),
        "a data set": Dataset(x, np.arange(N)),
        "one less": x[1:],
        "one image": x[0, :, :, 0],
        "dates": np.zeros((N, 6, 5, 1), "datetime64[s]"),
    }
    return draw.pick(name, good, bad)


def of_arrays(draw: Draw) -> Call:
    """Good images of one set may not fit those of the other: that is refused too."""
    train, test = pixels(draw, "train_images"), pixels(draw, "test_images")
    kinds = [word.split("=")[1] for word in draw.words]
    y = np.arange(N) % CLASSES
    bad = pools.bad_labels(N, CLASSES)
    bad = {k: v for k, v in bad.items() if k not in ("beyond", "bool")} | {"bool": y > 0}
    good = {"int64": y, "uint8": np.uint8(y), "list": y.tolist()}
    train_y, test_y = (draw.pick(name, good, bad) for name in ("train_labels", "test_labels"))
    more: dict[str, Any] = {}
    if draw.rng.random() < 0.4:
        wrong = {**pools.junk("None", "texts", "ragged"), "two": ["a", "b"], "twice": ["a"] * 3}
        wrong["dict of names"] = {"a": 0, "b": 1, "c": 2}
        more["class_names"] = draw.pick("class_names", {"three": ["a", "b", "c"]}, wrong)
    if draw.rng.random() < 0.3:
        wrong = {**pools.junk("text"), "empty": "", "number": 3}
        more["name"] = draw.pick("name", {"mine": "mine"}, wrong)
    del kinds

    def judge(got: Any) -> str:
        right = pools.wide(train)
        right = right[..., None] if right.ndim == 3 else right
        found = same(got.train.images, right, 1e-6)
        return found or same(got.test.labels, np.asarray(test_y))

    run = lambda: data.from_arrays(train, train_y, test, test_y, **more)  # noqa: E731
    return Call("data.from_arrays", run, judge)


def checked(draw: Draw) -> Call:
    given = pools.dataset(draw, int(draw.among(pools.COUNTS)), CLASSES)
    if "labels beyond" in draw.words[-1] or "labels huge" in draw.words[-1]:
        draw.faults, draw.odd = 0, True  # without networks any number may be a class
    return Call("data.check_dataset", lambda: check_dataset(given))


def floating(draw: Draw) -> Call:
    share = draw.rng.uniform(size=(3, *pools.SHAPE))
    bad = {**pools.junk(), "bool": share > 0.5, "texts": share.astype(str), "complex": share + 0j}
    good = {"uint8": np.uint8(255 * share), "int32": np.int32(255 * share), **pools.floats(share)}
    images = draw.pick("images", good, bad, {"list": share.tolist()})

    def judge(got: Any) -> str:
        x = np.asarray(images)
        return same(got, pools.wide(x) / (255 if x.dtype.kind in "iu" else 1), 1e-6)

    return Call("batches.to_float", lambda: to_float(images), judge)


CALLS = [(3, of_arrays), (2, checked), (1, floating)]
