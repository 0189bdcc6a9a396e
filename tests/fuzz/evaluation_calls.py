"""Calls of `evaluate`, `craft` and `in_chunks` on linear members."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxadv import attacks, evaluation
from jaxadv import ensemble as ensembles
from jaxadv.attacks import COMBINATIONS
from tests.fuzz import expected, pools
from tests.fuzz.attack_calls import CLASSES, linear, networks, weights
from tests.fuzz.draw import Call, Draw, same

FLAT = attacks.pgd(0.1, 0.05, 2)
ATTACKS: dict[str, Any] = {
    "fgsm": attacks.fgsm,
    "fgm": attacks.fgm,
    "pgd": lambda eps: attacks.pgd(eps, eps / 2, 2),
    "pgd l2": lambda eps: attacks.pgd(eps, eps / 2, 2, "l2"),
    "cw": lambda c: attacks.cw(c, steps=2, searches=1),
}
BAD_ATTACKS: dict[str, Any] = {
    **pools.junk("lambda", "class"),
    "an attack": FLAT,
    "a name": "fgsm",
    "function of nothing": lambda: FLAT,
    "function to None": lambda eps: None,
    "function to text": lambda eps: "fgsm",
    "function to a direction": lambda eps: attacks.ascend(lambda x: x),
    "function to the constructor": lambda eps: attacks.fgsm,
}


def members(draw: Draw) -> tuple[Any, Any, Any]:
    """An ensemble, the weights of its linear members, and how many it has."""
    count = int(draw.among([1, 2, 3]))
    w, b = weights(draw, count)
    each = [linear(*one) for one in zip(w, b, strict=True)]
    each[0] = networks(draw, each[0])
    good = {"callables": lambda: ensembles.callables(each)}
    bad: dict[str, Any] = {
        "list": lambda: each,
        "model": lambda: pools.model(),
        "None": lambda: None,
        "function": lambda: each[-1],
        "other classes": lambda: ensembles.callables([each[-1], lambda x: each[-1](x)[:, :2]]),
    }
    return draw.pick("ensemble", good, bad), (w, b), count


def common(draw: Draw) -> dict[str, Any]:
    """Keyword arguments that crafting and evaluating share."""
    bad = {**pools.junk(), "mean": "mean", "list": ["loss"]}
    return {
        "combine": draw.pick("combine", {name: name for name in COMBINATIONS}, bad),
        "chunk": pools.whole(draw, "chunk", [1, 2, 100]),
    }


def sources(draw: Draw, count: int) -> Any:
    """Named subsets of the members, or what is none."""
    bad = {
        **pools.junk("None"),
        "beyond": {"a": (count,)},
        "negative": {"a": (-1,)},
        "a number": {"a": 0},
        "twice": {"a": (0, 0)},
        "nobody": {"a": ()},
        "texts in it": {"a": ("0",)},
        "floats in it": {"a": (0.0,)},
        "list": [(0,)],
        "empty": {},
        "None in it": {"a": None},
        "bools in it": {"a": (True,)},
    }
    good = {"None": None, "first": {"a": (0,)}, "all": {"b": tuple(range(count)), "a": [count - 1]}}
    return draw.pick("sources", good, bad, {"number name": {0: (0,)}})


def evaluated(draw: Draw) -> Call:
    n = int(draw.among(pools.COUNTS))
    build, (w, b), count = members(draw)
    name = draw.among(ATTACKS)
    attack = draw.pick("attack", {name: ATTACKS[name]}, BAD_ATTACKS)
    bad = {
        **pools.junk("complex"),
        "a number": 0.1,
        "empty": [],
        "negative": [-0.1],
        "nan": [np.nan],
        "texts in it": ["0.1"],
        "[A, 1]": [[0.1]],
        "inf": [0.1, np.inf],
        "None in it": [None],
        "complex in it": [0.1j],
    }
    eps = draw.pick(
        "eps", {"list": [0.1, 0.0], "numpy": np.array([0.2]), "jax": jnp.array([0.1])}, bad
    )
    data = pools.dataset(draw, n, CLASSES)
    key = pools.key(draw)
    more = common(draw) | {"sources": sources(draw, count)}
    more["keep"] = pools.whole(draw, "keep", [0, 1], 0)
    if draw.rng.random() < 0.2:
        wrong = {**pools.junk("None", "lambda", "class"), "gives a number": lambda *a: 3}
        more["examine"] = draw.pick("examine", {"none": None}, wrong)

    def judge(got: Any) -> str:
        if name == "cw" or draw.odd:
            return ""
        for probabilities in (got.clean, got.adversarial):
            found = same(np.sum(probabilities, -1), np.ones(probabilities.shape[:-1]), 1e-5)
            if found:
                return found
        x = pools.wide(data.images) / (255 if np.asarray(data.images).dtype.kind in "iu" else 1)
        z = [x.reshape(n, -1) @ pools.wide(w[m]) + b[m] for m in range(count)]
        radii = np.asarray(eps, np.float64)[:, None, None]
        if np.any(got.norms > radii + 1e-6):
            return f"norms {np.max(got.norms)}"
        return same(got.clean, expected.softmax(np.stack(z)), 2e-3)

    def run() -> Any:
        return evaluation.evaluate(build(), (), attack, eps, data, key, **more)

    return Call("evaluation.evaluate", run, judge)


def crafted(draw: Draw) -> Call:
    n = int(draw.among(pools.COUNTS))
    build, (w, b), count = members(draw)
    good = {"fgsm": attacks.fgsm(0.1), "pgd": FLAT, "cw": attacks.cw(steps=2, searches=1)}
    bad = {
        **pools.junk(),
        "constructor": attacks.fgsm,
        "name": "pgd",
        "lambda eps": lambda eps: FLAT,
    }
    attack = draw.pick("attack", good, bad)
    data = pools.dataset(draw, n, CLASSES)
    key = pools.key(draw)
    wrong = {**pools.junk(), "beyond": [count], "negative": [-1], "number": 0, "nobody": []}
    chosen = draw.pick("members", {"first": [0], "all": tuple(range(count))}, wrong)
    more = common(draw)

    def judge(got: Any) -> str:
        if draw.odd:
            return ""
        whole = np.asarray(data.images).dtype.kind in "iu"
        x = np.float32(np.asarray(data.images).astype(np.float32) / (255 if whole else 1))
        if attack is not good["fgsm"] or len(chosen) > 1 or "margin" in more["combine"]:
            free = attack is good["cw"]
            return expected.outside(got, x, np.inf if free else 0.1, "linf", 0, 1)
        right = expected.ascended(
            pools.wide(x),
            pools.wide(w[0]),
            pools.wide(b[0]),
            np.asarray(data.labels),
            eps=0.1,
            step=0.1,
            steps=1,
            ball="linf",
            low=0,
            high=1,
            kind="odds",
        )
        if more["combine"] == "gradients" or np.asarray(data.images).dtype == np.float16:
            return expected.outside(got, x, 0.1, "linf", 0, 1)
        return same(got, right, 1e-5)

    def run() -> Any:
        return evaluation.craft(build(), (), chosen, attack, data, key, **more)

    return Call("evaluation.craft", run, judge)


def chunked(draw: Draw) -> Call:
    n = int(draw.among(pools.COUNTS))
    a = draw.rng.normal(size=(n, 2))
    bad = {**pools.junk(), "empty": a[:0], "one more": np.zeros(n + 1), "a number": 0.5}
    good = {"numpy": a, "jax": jnp.asarray(a)}
    first, second = np.arange(n, dtype=np.float32)[:, None], draw.pick("array", good, bad)
    size = pools.whole(draw, "size", [1, 2, 50])
    wrong = pools.junk("lambda", "class")
    function = draw.pick("function", {"sum": lambda x, y: {"s": x + y}}, wrong)

    def judge(got: Any) -> str:
        return same(got["s"], first + np.asarray(second))

    run = lambda: evaluation.in_chunks(function, size, first, second)  # noqa: E731
    return Call("evaluation.in_chunks", run, judge)


CALLS = [(2, evaluated), (2, crafted), (1, chunked)]
