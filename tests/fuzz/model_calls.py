"""Calls of the models' constructors, and of the models."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxadv import models
from tests.fuzz import pools
from tests.fuzz.draw import Call, Draw

SIDES = {"fc": 4, "cnn": 4, "lenet": 10, "dna_classifier": 8, "residual_classifier": 8}


def _flat(x):
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


class Plain(nn.Module):
    """A dense layer."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(4)(_flat(x))))


class Switched(nn.Module):
    """BatchNorm, switched by `train`."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dense(3)(_flat(x))


class Returning(nn.Module):
    """Something else than logits."""

    what: Any

    @nn.compact
    def __call__(self, x):
        return self.what(nn.Dense(3)(_flat(x)))


MODULES = {"plain": (Plain(), ""), "switched": (Switched(), "train")}
BAD_MODULES: dict[str, Any] = {
    **{name: (value, "") for name, value in pools.junk().items()},
    "class": (Plain, ""),
    "a model": (pools.model(), ""),
    "no switch": (Switched(), ""),
    "another switch": (Switched(), "training"),
    "the reverse": (Switched(), "not train"),
    "a switch too many": (Plain(), "train"),
    "a switch of no name": (Switched(), 3),
    "tuple": (Returning(lambda z: (z, z)), ""),
    "dict of outputs": (Returning(lambda z: {"logits": z}), ""),
    "one logit": (Returning(lambda z: z[:, :1]), ""),
    "[B]": (Returning(lambda z: z[:, 0]), ""),
    "whole": (Returning(lambda z: jnp.int32(z)), ""),
    "nothing": (Returning(lambda z: None), ""),
    "complex outputs": (Returning(lambda z: z + 0j), ""),
}


def batch(draw: Draw, side: int) -> Any:
    """Images `[2, side, side, 1]`, or what is none."""
    x = np.float32(draw.rng.uniform(size=(2, side, side, 1)))
    bad = {
        **pools.junk(),
        "uint8": np.uint8(255 * x),
        "no channel": x[..., 0],
        "one image": x[0, :, :, 0],
        "texts of each": x.astype(str),
        "complex": x.astype(complex),
        "no images": x[:0],
        "objects": x.astype(object),
        "bool": x > 0.5,
    }
    if side > 4:
        bad["small"] = x[:, :3, :3]
    good = {"float32": x, "jax": jnp.asarray(x), "float16": np.float16(x)}
    return draw.pick("x", good, bad, {"list": x.tolist()})


def applied(model: Any, x: Any, key: Any) -> Any:
    variables = model.init(key, x)
    outputs, _ = model.apply(variables, x, train=False, key=None)
    return outputs.logits, outputs.taps


def judge_logits(classes: int) -> Any:
    def judge(got: Any) -> str:
        logits = got[0]
        if logits.shape != (2, classes) or not np.isfinite(np.asarray(logits, np.float32)).all():
            return f"logits {logits}"
        return ""

    return judge


def constructed(draw: Draw) -> Call:
    """A classifier made, initialised and applied."""
    name = draw.value("model", ["fc", "fc", "cnn", "lenet", "dna_classifier"])
    classes = pools.whole(draw, "num_classes", [2, 3], 2)
    more: dict[str, Any] = {}
    if name == "fc":
        bad = {
            **pools.junk(),
            "number": 5,
            "none": (),
            "0": (5, 0),
            "text width": ("5", 5),
            "2.0": (2.0, 2),
        }
        more["widths"] = draw.pick("widths", {"tuple": (5, 4), "list": [5, 4]}, bad)
        more["feature_block"] = pools.whole(draw, "feature_block", [1, 2])
    x = batch(draw, SIDES[name])
    if name == "fc" and draw.words[-1] == "x=one image!":
        draw.faults, draw.odd = draw.faults - 1, True  # flat images, for all it knows
    key = pools.key(draw)
    if draw.words[-1] == "key=raw!":
        draw.faults, draw.odd = draw.faults - 1, True  # models take jax's old keys
    run = lambda: applied(getattr(models, name)(classes, **more), x, key)  # noqa: E731
    return Call("models.NAME(…) applied", run, judge_logits(int(classes) if _fine(classes) else 0))


def _fine(value: Any) -> bool:
    return isinstance(value, int | np.integer)


def of_linen(draw: Draw) -> Call:
    """A reader's module made a model, initialised and applied."""
    module, switch = draw.pick("module", MODULES, BAD_MODULES)
    bad = {**pools.junk("None", "text"), "no layer": "Dense_7", "number": 0}
    feature = draw.pick("feature", {"none": None, "layer": "Dense_0"}, bad)
    x = batch(draw, 4)
    if draw.words[-1] in ("x=no channel!", "x=one image!", "x=no images!"):
        draw.faults, draw.odd = draw.faults - 1, True  # the module's own matter
    key = pools.key(draw)
    if draw.words[-1] == "key=raw!":
        draw.faults, draw.odd = draw.faults - 1, True

    def run() -> Any:
        return applied(models.from_linen(module, feature, train_argument=switch), x, key)

    return Call("models.from_linen applied", run, (lambda got: "") if draw.odd else judge_logits(3))


def autoencoders(draw: Draw) -> Call:
    """A dense DNA made and applied."""
    necks = pools.whole(draw, "necks", [1, 2])
    unshared = draw.pick(
        "unshared",
        {"2": 2, "4": 4},
        {**pools.junk(), "0": 0, "3": 3, "8": 8, "text 2": "2", "2.0": 2.0},
    )
    bad = {**pools.junk(), "0": (0, 3, 3), "number": 5}
    widths = draw.pick("widths", {"five": (4, 3, 2, 3, 4)}, bad)
    x = batch(draw, 4)
    if draw.words[-1] == "x=one image!":
        draw.faults, draw.odd = draw.faults - 1, True  # flat images, for all it knows
    key = pools.key(draw)
    if draw.words[-1] == "key=raw!":
        draw.faults, draw.odd = draw.faults - 1, True

    def run() -> Any:
        made = models.dna(necks, unshared, widths)
        variables = made.model.init(key, x)
        return made.model.apply(variables, x, train=False, key=None)[0].reconstruction

    def judge(got: Any) -> str:
        return "" if got.shape == (necks, *np.shape(x)) else f"images {got.shape}"

    return Call("models.dna applied", run, judge)


CALLS = [(2, constructed), (2, of_linen), (1, autoencoders)]
