"""Calls of the ensembles' constructors and of what they give."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv import ensemble as ensembles
from jaxadv.models import dna, fc
from tests.fuzz import pools
from tests.fuzz.attack_calls import CLASSES, linear, networks, weights
from tests.fuzz.draw import Call, Draw, same

MODELS = {"fc": pools.model(), "another": fc(CLASSES, (5,), feature_block=1)}
BAD_MODELS = {
    **pools.junk(),
    "constructor": fc,
    "autoencoder": dna(2),
    "ensemble": ensembles.callables([lambda x: x]),
    "list": [pools.model()],
}
X = np.float32(np.random.default_rng(0).uniform(size=(3, *pools.SHAPE)))


def pair() -> tuple[Any, Any]:
    """Three small members and their weights."""
    made = ensembles.stacked(MODELS["fc"], 3)
    return made, jax.jit(made.init)(pools.KEY, X)


PAIR: list[Any] = []  # made when first wanted, and once


def trio() -> tuple[Any, Any]:
    if not PAIR:
        PAIR.append(pair())
    return PAIR[0]


def indices(draw: Draw, size: int, name: str = "members") -> Any:
    """Some of the members, or what is none."""
    bad = {
        **pools.junk(),
        "beyond": [size],
        "negative": [-1],
        "floats": [0.0],
        "a number": 0,
        "none": [],
        "bools": [True],
        "[[0]]": [[0]],
        "text index": ["0"],
        "jax beyond": jnp.array([size]),
    }
    good = {"first": [0], "all": list(range(size)), "numpy": np.array([size - 1]), "tuple": (0, 1)}
    return draw.pick(name, {**good, "jax": jnp.array([1, 0])}, bad)


def stacked(draw: Draw) -> Call:
    model = draw.pick("model", MODELS, BAD_MODELS)
    size = pools.whole(draw, "size", [1, 2])
    return Call(
        "ensemble.stacked",
        lambda: ensembles.stacked(model, size),
        lambda got: "" if got.size == size else f"{got.size} members",
    )


def called(draw: Draw) -> Call:
    """`callables`, made and applied."""
    w, b = weights(draw, 2)
    first = linear(w[0], b[0])
    second = networks(draw, linear(w[1], b[1]))
    more = {"other classes": lambda x: first(x)[:, :2], "other batch": lambda x: first(x)[:1]}
    bad = {
        **pools.junk(),
        "function": first,
        "none": [],
        "one text": [first, "f"],
        "dict of functions": {"a": first},
        "other classes": [first, more["other classes"]],
        "other batch": [first, more["other batch"]],
        "models": [MODELS["fc"]],
    }
    functions = draw.pick("functions", {"list": [first, second], "tuple": (first, second)}, bad)

    def run() -> Any:
        made = ensembles.callables(functions)
        return ensembles.predict(made, ())(X)

    def judge(got: Any) -> str:
        right = [X.reshape(3, -1).astype(float) @ w[m] + b[m] for m in range(2)]
        return "" if draw.odd else same(got, right, 1e-4)

    return Call("ensemble.callables(functions) applied", run, judge, nan=draw.odd)


def mixed(draw: Draw) -> Call:
    one = ensembles.callables([lambda x: jnp.zeros((len(x), CLASSES))])
    other = ensembles.callables([lambda x: jnp.zeros((len(x), CLASSES + 1))])
    bad = {
        **pools.junk(),
        "none": [],
        "ensemble": one,
        "models": [MODELS["fc"]],
        "text in it": [one, "a"],
    }
    bad["other classes"] = [one, other]
    bad["dict of them"] = {"a": one}
    groups = draw.pick("groups", {"one": [one], "two": (one, one)}, bad)

    def run() -> Any:
        made = ensembles.mixed(groups)
        variables = made.init(pools.KEY, X)
        return made.apply(variables, X, train=False, key=None)[0].logits

    return Call("ensemble.mixed(groups) applied", run)


def picked(draw: Draw) -> Call:
    """`pick`, and what it picks predicts as before."""
    made, variables = trio()
    bad = {
        **pools.junk("ragged"),
        "one member's": ensembles.member(variables, 0),
        "empty": {},
        "tuple": (),
    }
    given = draw.pick("variables", {"trained": variables}, bad)
    members = indices(draw, 3)

    def run() -> Any:
        chosen, its = made.pick(given, members)
        return ensembles.predict(chosen, its)(X)

    def judge(got: Any) -> str:
        whole = ensembles.predict(made, variables)(X)
        return same(got, np.asarray(whole)[np.asarray(members)], 1e-5)

    return Call("ensemble.pick", run, judge)


def replaced(draw: Draw) -> Call:
    """`put`, the inverse of `pick`."""
    made, variables = trio()
    good = {"its own": made.pick(variables, [0, 1])[1]}
    bad = {
        **pools.junk("ragged"),
        "one of two": made.pick(variables, [0])[1],
        "three of two": variables,
        "empty": {},
        "another's": ensembles.stacked(MODELS["another"], 2).init(pools.KEY, X),
    }
    members = draw.pick(
        "members", {"list": [0, 1], "turned": (1, 0)}, {"beyond": [0, 3], "-1": [0, -1]}
    )
    chosen = draw.pick("chosen", good, bad)
    if list(np.unique(members)) != [0, 1] and not draw.faults:
        draw.odd = True

    def judge(got: Any) -> str:
        leaves = zip(jax.tree.leaves(got), jax.tree.leaves(chosen), strict=True)
        return next((s for a, c in leaves if (s := same(a[np.asarray(members)], c))), "")

    return Call("ensemble.put", lambda: made.put(variables, members, chosen), judge)


def of_member(draw: Draw) -> Call:
    _, variables = trio()
    bad = {
        **pools.junk(),
        "3": 3,
        "-1": -1,
        "text 0": "0",
        "0.0": 0.0,
        "True": True,
        "list": [0],
    }
    index = draw.pick("index", {"0": 0, "2": np.int64(2), "jax": jnp.int32(1)}, bad)
    wrong = {**pools.junk("dict", "ragged"), "empty": {}, "scalars": {"a": jnp.float32(1)}}
    given = draw.pick("variables", {"trained": variables}, wrong)
    return Call("ensemble.member", lambda: ensembles.member(given, index))


def of_stack(draw: Draw) -> Call:
    _, variables = trio()
    one, two = (ensembles.member(variables, index) for index in (0, 1))
    bad = {
        **pools.junk("ragged"),
        "none": [],
        "another's": [one, {"a": jnp.zeros(3)}],
        "other shapes": [{"a": jnp.zeros(3)}, {"a": jnp.zeros(4)}],
        "with a text": [one, "two"],
        "one's": one,
        "texts of each": [{"a": "x"}, {"a": "y"}],
        "Nones": [None, None],
    }
    members = draw.pick("members", {"list": [one, two], "tuple": (one,)}, bad)

    def judge(got: Any) -> str:
        leaves = zip(jax.tree.leaves(got), jax.tree.leaves(one), strict=True)
        return next((s for a, c in leaves if (s := same(a[0], c))), "")

    return Call("ensemble.stack", lambda: ensembles.stack(members), judge)


CALLS = [
    (1, stacked),
    (2, called),
    (1, mixed),
    (2, picked),
    (1, replaced),
    (1, of_member),
    (1, of_stack),
]
