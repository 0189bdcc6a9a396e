"""Calls of every attack on every kind of objective; linear networks have a known right answer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv import attacks
from jaxadv.attacks import COMBINATIONS, example_keys
from tests.fuzz import expected, pools
from tests.fuzz.draw import Call, Draw, same

CLASSES = 3
BALLS = {"linf": attacks.linf, "l2": attacks.l2, "'linf'": "linf", "'l2'": "l2"}
BAD_BALLS = {
    **pools.junk(),
    "'l1'": "l1",
    "'Linf'": "Linf",
    "2": 2,
    "inf": np.inf,
    "attack": attacks.pgd,
    "list": ["l2"],
}


def weights(draw: Draw, members: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Of linear networks, `[M, P, C]` and `[M, C]`."""
    size = int(np.prod(pools.SHAPE))
    w = draw.rng.normal(size=(members, size, CLASSES)) * draw.among([0.1, 1.0])
    return np.float32(w), np.float32(draw.rng.normal(size=(members, CLASSES)))


def linear(w: np.ndarray, b: np.ndarray) -> Any:
    """`x [B, …] -> x w + b`; of images of another size it takes what pixels there are."""

    def network(x: Any) -> Any:
        flat = jnp.reshape(jnp.asarray(x, jnp.float32), (len(x), -1))[:, : len(w)]
        return flat @ w[: flat.shape[1]] + b

    return network


def networks(draw: Draw, f: Any) -> Any:
    """One network's function (or several members'), or what is none."""
    bad = {
        **pools.junk("lambda", "class"),
        "tuple": lambda x: (f(x), 0),
        "dict output": lambda x: {"logits": f(x)},
        "list output": lambda x: [f(x)],
        "None output": lambda x: None,
        "one logit": lambda x: f(x)[..., :1],
        "[B]": lambda x: f(x)[..., 0],
        "one axis more": lambda x: f(x)[None],
        "another batch": lambda x: jnp.concatenate([f(x), f(x)], axis=-2),
        "complex": lambda x: f(x) + 0j,
        "a model": pools.model(),
        "a number output": lambda x: 3.0,
        "a scalar": lambda x: jnp.sum(f(x)),
        "no classes": lambda x: f(x)[..., :0],
        "texts output": lambda x: np.array(["a", "b"]),
    }
    odd = {
        "softmax": lambda x: jax.nn.softmax(f(x)),
        "NaN": lambda x: f(x) * jnp.nan,
        "NaN gradient": lambda x: f(jnp.sqrt(jnp.abs(x) * 0)) + f(x),
        "whole": lambda x: jnp.int32(f(x)),
        "half": lambda x: jnp.float16(f(x)),
        "constant": lambda x: 0 * f(x),
        "numpy constant": lambda x: np.zeros(f(x).shape, np.float32),
        "large": lambda x: 1e30 * f(x),
    }
    return draw.pick("predict", {"linear": f}, bad, odd)


def problem(draw: Draw, n: int) -> tuple[Any, dict[str, Any]]:
    """A direction, made when called, and what it is of a linear network."""
    kind = draw.value("objective", ["untargeted", "targeted", "margin", "ensemble"])
    several = kind == "ensemble"
    w, b = weights(draw, int(draw.among([1, 2, 3])) if several else 1)
    if several:
        alone = [linear(*each) for each in zip(w, b, strict=True)]
        f = networks(draw, lambda x: jnp.stack([g(x) for g in alone]))
    else:
        f = networks(draw, linear(w[0], b[0]))
    y = pools.labels(draw, n, CLASSES)
    known = {"w": w[0], "b": b[0], "y": y, "kind": "margin" if kind == "margin" else "odds"}
    known["sign"] = -1.0 if kind == "targeted" else 1.0
    known["ok"] = len(w) == 1 and not several
    if not several:
        return (lambda: getattr(attacks, kind)(f, y)), known
    bad = {**pools.junk(), "mean": "mean", "Loss": "Loss", "list": ["loss"], "2": 2}
    how = draw.pick("combine", {name: name for name in COMBINATIONS}, bad)
    aimed = draw.pick("targeted", {"yes": True, "no": False}, {})
    return (lambda: attacks.joint(f, y, how, targeted=aimed)), known


def direction(draw: Draw, n: int) -> tuple[Any, dict[str, Any]]:
    """A problem, a plain direction, or what is none."""
    if draw.rng.random() < 0.7:
        return problem(draw, n)
    slope = np.float32(draw.rng.normal(size=(n, *pools.SHAPE)))
    w, b = weights(draw)
    f = linear(w[0], b[0])
    good = {
        "plain": lambda x: (None, slope),
        "values": lambda x: (jnp.zeros(len(x)), slope),
        "a scalar value": lambda x: (0.0, slope),
        "ascend": attacks.ascend(lambda x: jnp.sum(x**2, tuple(range(1, x.ndim)))),
        "ascend of a sum": attacks.ascend(lambda x: jnp.sum(x)),
        "holes": lambda x: (None, jnp.where(slope > 0.5, jnp.nan, slope)),
        "infinite": lambda x: (None, jnp.where(slope > 0.5, jnp.inf, slope)),
        "resembling": attacks.resembling(f, np.ones((n, CLASSES), np.float32)),
    }
    bad = {
        **pools.junk("lambda", "class"),
        "a model": pools.model(),
        "network": f,
        "ascend of logits": attacks.ascend(f),
        "ascend of nothing": attacks.ascend(lambda x: None),
        "ascend of a tuple": attacks.ascend(lambda x: (jnp.sum(x), 1)),
        "three": lambda x: (0.0, slope, 1, 2),
        "None ascent": lambda x: (None, None),
        "None": lambda x: None,
        "a list": lambda x: [None, slope],
        "text ascent": lambda x: (None, "up"),
        "one ascent": lambda x: (None, slope[0]),
        "text value": lambda x: ("high", slope),
        "complex ascent": lambda x: (None, slope + 0j),
        "values of [B, 1]": lambda x: (jnp.zeros((len(x), 1)), slope),
        "resembling of another size": attacks.resembling(f, np.ones((n, CLASSES + 1))),
        "resembling nothing": attacks.resembling(lambda x: None, np.ones((n, CLASSES))),
        "the class": attacks.Problem,
    }
    made = {
        "ascend of text": lambda: attacks.ascend("loss"),
        "resembling of text": lambda: attacks.resembling(f, "cat"),
        "resembling of None": lambda: attacks.resembling(f, None),
        "resembling of no function": lambda: attacks.resembling("f", np.ones((n, CLASSES))),
    }
    later = {name: (lambda value=value: value) for name, value in {**good, **bad}.items()} | made
    chosen = draw.pick(
        "direction", {k: later[k] for k in good}, {k: later[k] for k in (*bad, *made)}
    )
    return chosen, {"ok": False}


def made(draw: Draw, n: int, size: float, bounds: Any) -> tuple[Any, dict[str, Any]]:
    """An attack, made when called, and its settings for the reference."""
    name = draw.value("attack", ["fgsm", "fgm", "pgd", "igs", "mi_fgsm", "Attack"])
    eps = pools.radius(draw, n, size)
    known: dict[str, Any] = {"eps": eps, "step": eps, "steps": 1, "random": False}
    known["ball"] = "l2" if name == "fgm" else "linf"
    settings: dict[str, Any] = {"bounds": bounds}
    if name in ("fgsm", "fgm"):
        return (lambda: getattr(attacks, name)(eps, **settings)), known
    ball = draw.pick("ball", BALLS, BAD_BALLS)
    known["ball"] = getattr(ball, "name", ball)
    least = 1 if name in ("igs", "mi_fgsm") else 0
    steps = known["steps"] = pools.whole(draw, "steps", [1, 2, 4], least)
    if name == "mi_fgsm":
        bad = {**pools.junk(), "-1": -1, "text 1": "1", "inf": np.inf}
        decay = draw.pick("decay", {"1": 1, "0.5": np.float32(0.5), "0": 0.0}, bad)
        known |= {"decay": decay, "share": True}
        return (lambda: attacks.mi_fgsm(eps, steps, decay, ball, **settings)), known
    if name == "igs":
        known["share"] = True
        return (lambda: attacks.igs(eps, steps, ball, **settings)), known
    step = known["step"] = pools.radius(draw, n, size, "step_size")
    bad = {"text": "no", "None": None, "2": 2}
    settings["random_start"] = draw.pick("random_start", {"yes": True, "no": False}, bad)
    known["random"] = bool(settings["random_start"])
    build = attacks.pgd if name == "pgd" else attacks.Attack
    return (lambda: build(eps, step, steps, ball, **settings)), known


def attack(draw: Draw) -> Call:
    """An attack without weights of its own, called directly."""
    n = int(draw.among(pools.COUNTS))
    bounds = draw.pick("bounds", pools.BOUNDS, pools.BAD_BOUNDS)
    fine = any(bounds is value for value in pools.BOUNDS.values())
    low, high = bounds if fine else (0.0, 1.0)
    build, how = made(draw, n, float(np.max(np.asarray(high) - low)), bounds)
    aim, what = direction(draw, n)
    x = pools.images(draw, n, low, high)
    keys = pools.keys(draw, n, how["random"])

    def judge(got: Any) -> str:
        found = expected.outside(got, x, pools.wide(how["eps"]), how["ball"], low, high)
        if found or draw.odd or how["random"] or not what["ok"]:
            return found
        eps, step = pools.wide(how["eps"]), pools.wide(how["step"])
        if "share" in how:
            step = eps / how["steps"]
        settings = {k: how[k] for k in ("steps", "ball")} | {k: what[k] for k in ("kind", "sign")}
        right = expected.ascended(
            pools.wide(x),
            pools.wide(what["w"]),
            pools.wide(what["b"]),
            np.asarray(what["y"]),
            eps=eps,
            step=step,
            low=low,
            high=high,
            decay=how.get("decay"),
            **settings,
        )
        return same(got, right, atol=2e-4 * float(np.max(np.asarray(high) - low)))

    return Call("attack(direction, x, keys)", lambda: build()(aim(), x, keys), judge)


def carlini_wagner(draw: Draw) -> Call:
    """Carlini & Wagner's attack: what comes back wins, or is as it came."""
    n = int(draw.among(pools.COUNTS))
    bounds = draw.pick("bounds", pools.BOUNDS, pools.BAD_BOUNDS)
    fine = any(bounds is value for value in pools.BOUNDS.values())
    low, high = bounds if fine else (0.0, 1.0)
    confidence = pools.radius(draw, n, 1.0, "confidence")
    settings: dict[str, Any] = {"bounds": bounds}
    settings["steps"] = pools.whole(draw, "steps", [1, 5])
    settings["searches"] = pools.whole(draw, "searches", [1, 2])
    bad = {**pools.junk(), "-1": -1, "0 text": "0", "inf": np.inf}
    settings["step_size"] = draw.pick("step_size", {"0.1": 0.1, "jax": jnp.float32(0.1)}, bad)
    settings["first_constant"] = draw.pick("first", {"1": 1.0, "[B]": np.full(n, 0.1)}, bad)
    settings["ball"] = draw.pick("ball", {"l2": "l2"}, {**BAD_BALLS, "linf": "linf"})
    aim, what = problem(draw, n)
    x = pools.images(draw, n, low, high)

    def judge(got: Any) -> str:
        found = expected.outside(got, x, np.inf, "l2", low, high)
        if found or draw.odd or not what["ok"]:
            return found
        z = pools.wide(got).reshape(n, -1) @ pools.wide(what["w"]) + what["b"]
        wins = what["sign"] * expected.margins(z, np.asarray(what["y"])) > pools.wide(confidence)
        same_ = np.all(pools.wide(got) == np.float32(x), axis=(1, 2, 3))
        near = np.abs(expected.margins(z, np.asarray(what["y"])) - confidence) < 1e-3
        return "" if np.all(wins | same_ | near) else "an image that moved and does not win"

    return Call(
        "cw(confidence)(direction, x)", lambda: attacks.cw(confidence, **settings)(aim(), x), judge
    )


def keyed(draw: Draw) -> Call:
    """`example_keys`."""
    bad = {
        **pools.junk(),
        "floats": np.zeros(3),
        "number": 3,
        "[N, 1]": np.zeros((3, 1), int),
        "bool": np.zeros(3, bool),
    }
    good = {"range": np.arange(3), "jax": jnp.arange(3), "uint8": np.uint8([3, 1])}
    indices = draw.pick("indices", good, bad, {"list": [0, 1], "range": range(2), "negative": [-1]})
    key = pools.key(draw)

    def judge(got: Any) -> str:
        return "" if got.shape == (len(indices),) else f"keys of shape {got.shape}"

    return Call("example_keys", lambda: example_keys(key, indices), judge)


def named_ball(draw: Draw) -> Call:
    """`attacks.ball`."""
    name = draw.pick("name", BALLS, BAD_BALLS)
    return Call("attacks.ball", lambda: attacks.ball(name))


def objective(draw: Draw) -> Call:
    """A direction by itself: its value and its ascent."""
    n = int(draw.among(pools.COUNTS))
    aim, what = problem(draw, n)
    x = np.float32(draw.rng.uniform(size=(n, *pools.SHAPE)))

    def judge(got: Any) -> str:
        value, ascent = got
        if np.shape(value) != (n,) or np.shape(ascent) != x.shape:
            return f"shapes {np.shape(value)}, {np.shape(ascent)}"
        if draw.odd or not what["ok"]:
            return ""
        y, w = np.asarray(what["y"]), pools.wide(what["w"])
        z = pools.wide(x).reshape(n, -1) @ w + what["b"]
        of = expected.margins if what["kind"] == "margin" else lambda *a: -expected.log_odds(*a)
        flat = expected.gradient(w, what["b"], pools.wide(x).reshape(n, -1), y, what["kind"])
        return same(value, what["sign"] * of(z, y), 1e-4) or same(
            ascent, what["sign"] * flat.reshape(x.shape), 1e-4
        )

    return Call("direction(x)", lambda: aim()(x), judge, nan=True)


CALLS = [(6, attack), (2, carlini_wagner), (1, keyed), (1, named_ball), (3, objective)]
