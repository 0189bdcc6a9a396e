"""Calls of the losses, against float64."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxadv import losses
from tests.fuzz import expected, pools
from tests.fuzz.draw import Call, Draw, same

ETA, RIDGE = 5e-4, 1.2e-4


def logits(draw: Draw, n: int, classes: int, members: int) -> Any:
    """`[M, N, C]` or `[N, C]`, or what is none."""
    shape = (members, n, classes) if members else (n, classes)
    z = draw.rng.normal(size=shape) * draw.among([1.0, 10.0, 100.0])
    bad = {
        **pools.junk(),
        "one logit": z[..., :1],
        "no classes": z[..., :0],
        "complex": z.astype(complex),
        "[C]": z.reshape(-1, classes)[0],
        "a number": 1.0,
        "texts of each": z.astype(str),
        "objects": z.astype(object),
        "a tuple": (z, 0),
        "dates": z.astype("datetime64[s]"),
    }
    odd = {
        "NaN": z * np.nan,
        "inf": pools.put(z, np.inf),
        "list": z.tolist(),
        "int": z.astype(int),
        "bool": z > 0,
    }
    return draw.pick("logits", pools.floats(z), bad, odd)


def classified(draw: Draw) -> Call:
    """Cross-entropy, margins, log odds, accuracy."""
    n, c = int(draw.among(pools.COUNTS)), int(draw.among([2, 3, 7]))
    members = int(draw.among([0, 1, 2]))
    name = draw.among(["cross_entropy", "margins", "log_odds", "accuracy"])
    z, y = logits(draw, n, c, members), pools.labels(draw, n, c)

    def judge(got: Any) -> str:
        if draw.odd and not np.all(np.isfinite(pools.wide(z))):
            return ""
        size = max(1.0, float(np.max(np.abs(pools.wide(z)))))
        return same(got, getattr(expected, name)(pools.wide(z), y), 1e-6 * size)

    nan = draw.odd  # of logits that are NaN
    return Call(f"losses.{name}", lambda: getattr(losses, name)(z, y), judge, nan)


def joined(draw: Draw) -> Call:
    """`losses.join`."""
    v = draw.rng.uniform(size=int(draw.among([1, 2, 3])))
    bad = {**pools.junk(), "[M, B]": np.ones((2, 3))}
    given = draw.pick(
        "losses", {"numpy": np.float32(v), "jax": jnp.float32(v)}, bad, {"list": v.tolist()}
    )
    how = draw.pick(
        "how",
        {"sum": "sum", "root": "root_sum_square"},
        {**pools.junk(), "mean": "mean", "list": ["sum"]},
    )

    def judge(got: Any) -> str:
        return same(got, v.sum() if how == "sum" else np.sqrt((v**2).sum()))

    return Call("losses.join", lambda: losses.join(given, how), judge)


def features(draw: Draw, name: str, n: int, d: int, base: np.ndarray) -> Any:
    """Features `[N, D]`, or what is none."""
    mixing = draw.rng.normal(size=(base.shape[1], d))
    z = base @ mixing + draw.rng.normal(size=(n, d)) + 0.5
    bad = {
        **pools.junk(),
        "[N, H, W]": z[:, :, None],
        "[N]": z[:, 0],
        "one row": z[:1],
        "one row more": np.vstack([z, z[:1]]),
        "complex": z.astype(complex),
        "texts of each": z.astype(str),
        "objects": z.astype(object),
        "a list of arrays": [z, z],
        "no columns": z[:, :0],
        "no rows": z[:0],
    }
    constant = np.ones_like(z)
    odd = {
        "with NaN": pools.put(z, np.nan),
        "zeros": 0 * z,
        "constant": constant,
        "int": np.int32(10 * z),
        "list": z.tolist(),
        "twice": np.repeat(z[:, :1], d, 1),
        "huge": z * 1e25,
        "tiny": z * 1e-30,
        "uint8": np.uint8(np.abs(10 * z)),
        "bool": z > 0,
    }
    good = {k: v for k, v in pools.floats(z).items() if "16" not in k}
    odd |= {"float16": np.float16(z), "bfloat16": jnp.bfloat16(z)}
    return draw.pick(name, good, bad, odd)


def settings(draw: Draw) -> dict[str, Any]:
    """Keyword arguments of the regressions."""
    number = {**pools.junk(), "-1": -1.0, "nan": np.nan, "text 0": "0"}
    found: dict[str, Any] = {}
    if draw.rng.random() < 0.5:
        found["ridge"] = draw.pick(
            "ridge", {"0": 0.0, "1e-3": 1e-3, "jax": jnp.float32(0.01)}, number
        )
    if draw.rng.random() < 0.3:
        found["eta"] = draw.pick("eta", {"0": 0.0, "5e-4": 5e-4}, number)
    return found


def correlated(draw: Draw) -> Call:
    """Correlation loss and R², in the sample and held out."""
    n, d = int(draw.among([30, 40])), int(draw.among([1, 3, 6]))
    base = draw.rng.normal(size=(n, 4))
    z1, z2 = features(draw, "z1", n, d, base), features(draw, "z2", n, 2, base)
    more = settings(draw)
    name = draw.among(["correlation_loss", "r_squared", "held_out_r_squared"])
    if name != "held_out_r_squared" and draw.rng.random() < 0.5:
        wrong = {**pools.junk(), "total": "total", "list": ["centred"], "None": None}
        more["total"] = draw.pick("total", {k: k for k in ("centred", "uncentred")}, wrong)
    documented = draw.odd

    def judge(got: Any) -> str:
        if draw.odd:
            return ""
        a, b = pools.wide(z1), pools.wide(z2)
        eta, ridge = float(more.get("eta", ETA)), float(more.get("ridge", RIDGE))
        total = more.get("total", "centred")
        if name == "held_out_r_squared":
            half = n // 2
            inside, outside = (
                expected.explained(a[:half], b[:half], eta, ridge, held=(a[s], b[s]))[0]
                for s in (slice(half), slice(half, None))
            )
            return same(got, [inside, max(0, outside)], 1e-3)
        explained, residual, whole = expected.explained(a, b, eta, ridge, total)
        right = np.log(whole + 1e-3) - np.log(residual + 1e-3)
        return same(got, explained if name == "r_squared" else right, 1e-3)

    return Call(f"losses.{name}", lambda: getattr(losses, name)(z1, z2, **more), judge, documented)


def ensemble_correlation(draw: Draw) -> Call:
    """The mean over pairs of members."""
    n, members = 30, int(draw.among([2, 3]))
    base = draw.rng.normal(size=(n, 4))
    every = [features(draw, f"z{m}", n, 3, base) for m in range(members)]
    bad = {**pools.junk(), "one": every[:1], "none": [], "an array": 3}
    chosen = draw.pick("features", {"list": every, "tuple": tuple(every)}, bad)
    wrong = {**pools.junk(), "sideways": "sideways", "list": ["both"], "None": None}
    way = draw.pick("direction", {k: k for k in ("forward", "backward", "both")}, wrong)
    more = settings(draw)
    documented = draw.odd

    def judge(got: Any) -> str:
        if draw.odd:
            return ""
        eta, ridge = float(more.get("eta", ETA)), float(more.get("ridge", RIDGE))
        ahead = [(i, j) for j in range(members) for i in range(j)]
        back = [(j, i) for i, j in ahead]
        pairs = {"forward": ahead, "backward": back, "both": ahead + back}[way]
        found = []
        for i, j in pairs:
            a, b = pools.wide(every[i]), pools.wide(every[j])
            _, residual, whole = expected.explained(a, b, eta, ridge)
            found.append(np.log(whole + 1e-3) - np.log(residual + 1e-3))
        return same(got, np.mean(found), 1e-3)

    run = lambda: losses.ensemble_correlation(chosen, regress=way, **more)  # noqa: E731
    return Call("losses.ensemble_correlation", run, judge, documented)


CALLS = [(6, classified), (1, joined), (3, correlated), (1, ensemble_correlation)]
