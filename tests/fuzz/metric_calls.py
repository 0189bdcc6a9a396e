"""Calls of `jaxadv.metrics`, every result against plain loops."""

from itertools import combinations
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.metrics import roc_auc_score

from jaxadv import metrics
from tests.fuzz import expected, pools
from tests.fuzz.draw import Call, Draw, same


def events(draw: Draw, name: str, n: int, members: int = 0) -> Any:
    """Whether something holds, `[N]` or `[M, N]`, or what does not say."""
    shape = (members, n) if members else (n,)
    e = draw.rng.random(shape) < 0.5
    good = {"bool": e, "int": e.astype(int), "float": e.astype(float), "jax": jnp.asarray(e)}
    good["some unknown"] = np.where(draw.rng.random(shape) < 0.2, np.nan, e)
    bad = {
        **pools.junk(),
        "probabilities": np.full(shape, 0.3),
        "class indices": np.full(shape, 2),
        "one more": np.ones((*shape[:-1], n + 1), bool),
        "one axis more": e[..., None],
        "text of each": e.astype(str),
        "a number": 1,
    }
    if n == 0:  # nothing is neither true nor false
        bad = pools.junk()
    odd = {"list": e.tolist(), "objects": e.astype(object), "complex": e.astype(complex)}
    return draw.pick(name, good, bad, odd)


def scores(draw: Draw, n: int, classes: int, members: int = 0) -> Any:
    """Probabilities `[N, C]` or `[M, N, C]`, or what is none."""
    shape = (members, n, classes) if members else (n, classes)
    p = expected.softmax(3 * draw.rng.normal(size=shape))
    bad = {
        **pools.junk(),
        "classes": p.argmax(-1),
        "bool": p > 0.5,
        "a number": 0.5,
        "texts of each": p.astype(str),
        "objects": p.astype(object),
        "complex": p.astype(complex),
        "one less": p[..., :-1, :] if n > 1 else p[..., :0, :],
    }
    if members:
        bad["one member alone"] = p[0]
        bad["no members"] = p[:0]
    return draw.pick("probabilities", pools.floats(p), bad, {"list": p.tolist(), "NaN": p * np.nan})


def known(event: Any) -> np.ndarray:
    """0, 1 and NaN of what is given for booleans."""
    return np.asarray(event).astype(np.float64)


def share(event: Any, given: Any = None) -> tuple[Any, int]:
    """The rate by a loop."""
    event = known(event)
    given = np.ones(len(event)) if given is None else known(given)
    held = [e for e, g in zip(event, given, strict=True) if g != 0]
    unknown = any(np.isnan(e) for e in (*held, *given))
    return (sum(held) / len(held) if held and not unknown else None), len(held)


def errs(scores: Any, labels: Any) -> np.ndarray:
    """Whether the most probable class is another, NaN where there is none."""
    q = pools.wide(scores)
    return np.where(np.isfinite(q.max(-1)), q.argmax(-1) != np.asarray(labels), np.nan)


def agrees(got: Any, right: tuple[Any, int]) -> str:
    """What is wrong with a rate."""
    if got.n != right[1] or (got.value is None) != (right[0] is None):
        return f"{got}, expected {right}"
    return "" if right[0] is None else same(got.value, right[0], 1e-9)


def rate(draw: Draw) -> Call:
    n = int(draw.among([0, *pools.COUNTS]))
    event, given = events(draw, "event", n), None
    if draw.rng.random() < 0.7:
        given = events(draw, "given", n)
    elif "event=one more!" in draw.words:  # than nothing
        draw.faults, draw.odd = draw.faults - 1, True
    return Call(
        "metrics.rate",
        lambda: metrics.rate(event, given),
        lambda got: agrees(got, share(event, given)),
    )


def wrong(draw: Draw) -> Call:
    n, c = int(draw.among(pools.COUNTS)), int(draw.among([2, 3, 7]))
    p, y = scores(draw, n, c), pools.labels(draw, n, c)

    def judge(got: Any) -> str:
        return same(got, errs(p, y))

    return Call("metrics.wrong", lambda: metrics.wrong(p, y), judge, nan=True)


def ensemble_wrong(draw: Draw) -> Call:
    n, c, m = int(draw.among(pools.COUNTS)), int(draw.among([2, 3])), int(draw.among([1, 2, 3]))
    p, y = scores(draw, n, c, m), pools.labels(draw, n, c)

    def judge(got: Any) -> str:
        q = pools.wide(p).mean(0)
        ordered = np.sort(q, -1)
        tied = ordered[:, -1] - ordered[:, -2] < 1e-2  # half precision may turn it
        return same(np.asarray(got)[~tied], errs(q, y)[~tied])

    return Call("metrics.ensemble_wrong", lambda: metrics.ensemble_wrong(p, y), judge, nan=True)


def fooled(draw: Draw) -> Call:
    n, m = int(draw.among(pools.COUNTS)), int(draw.among([1, 2, 3]))
    w = events(draw, "wrong", n, m)
    bad = {
        **pools.junk(),
        "beyond": [m],
        "negative": [-1],
        "floats": [0.0],
        "a number": 0,
        "none": [],
        "bools": [True] * m,
    }
    good = {"first": (0,), "all": list(range(m)), "array": np.arange(m), "jax": jnp.arange(m)}
    members = draw.pick("members", good, bad)

    def judge(got: Any) -> str:
        chosen = known(w)[np.asarray(members)]
        return same(got, [np.nan if np.isnan(of).any() else all(of) for of in chosen.T])

    odd = "wrong=one more!" in draw.words
    draw.odd |= odd  # one more example is as right as any number
    draw.faults -= odd
    return Call("metrics.fooled", lambda: metrics.fooled(w, members), judge, nan=True)


def transfer(draw: Draw) -> Call:
    n = int(draw.among(pools.COUNTS))
    source, target = events(draw, "source", n), events(draw, "target", n)
    if draw.rng.random() < 0.5:
        return Call(
            "metrics.transfer_rate",
            lambda: metrics.transfer_rate(source, target),
            lambda got: agrees(got, share(target, source)),
        )
    clean, also = events(draw, "source_clean", n), events(draw, "target_clean", n)

    def judge(got: Any) -> str:
        s, a, b = (known(v) for v in (source, clean, also))
        return agrees(got, share(target, s * (1 - a) * (1 - b)))

    return Call(
        "metrics.transfer_rate_clean_correct",
        lambda: metrics.transfer_rate_clean_correct(source, target, clean, also),
        judge,
    )


def disagreement(draw: Draw) -> Call:
    n, m = int(draw.among(pools.COUNTS)), int(draw.among([2, 3]))
    p = scores(draw, n, 3, m)
    if "one less!" in draw.words[-1]:  # there are no labels that it has to fit
        draw.faults, draw.odd = draw.faults - 1, True

    def judge(got: Any) -> str:
        q = pools.wide(p)
        pairs = [np.abs(q[i] - q[j]).sum(-1) / 2 for i, j in combinations(range(len(q)), 2)]
        return same(got, np.mean(pairs, 0))

    return Call("metrics.disagreement", lambda: metrics.disagreement(p), judge, nan=draw.odd)


def detection(draw: Draw) -> Call:
    n, k = int(draw.among([0, 1, 20])), int(draw.among([0, 1, 20]))
    natural, attacked = (
        np.round(draw.rng.normal(size=size) + m, 1) for size, m in ((n, 0), (k, 1))
    )
    bad = {**pools.junk("ragged", "NaN"), "[N, 1]": np.zeros((3, 1)), "number": 0.5, "texts": ["a"]}
    given = draw.pick("natural", pools.floats(natural), bad, {"NaN": natural * np.nan})
    other = draw.pick("attacked", pools.floats(attacked), bad, {"list": attacked.tolist()})
    wrong_ = {**pools.junk(), "-0.1": -0.1, "1.1": 1.1, "nan": np.nan, "text 0.1": "0.1"}
    alarms = draw.pick("alarms", {"0.05": 0.05, "0": 0, "1": 1, "f32": np.float32(0.3)}, wrong_)

    def judge(got: Any) -> str:
        a, b = pools.wide(given), pools.wide(other)
        if len(a) == 0 or len(b) == 0 or np.isnan(a).any():
            return "" if got.auc is None and got.rate is None else f"{got}, expected None"
        auc = roc_auc_score(np.repeat([0, 1], [len(a), len(b)]), np.concatenate([a, b]))
        if got.raised > alarms + 1e-6:
            return f"{got.raised} alarms, {alarms} allowed"
        return same(got.auc, auc)

    return Call("metrics.detection", lambda: metrics.detection(given, other, alarms), judge)


def pathway_rates(draw: Draw) -> Call:
    n, m = int(draw.among(pools.COUNTS)), int(draw.among([1, 2, 3]))
    w = events(draw, "wrong", n, m)
    e = draw.rng.random((m, n))
    bad = {
        **pools.junk(),
        "[M]": e[:, 0],
        "one more": np.ones((m, n + 1)),
        "texts": e.astype(str),
        "complex": e.astype(complex),
    }
    errors = draw.pick("errors", pools.floats(e), bad)

    def judge(got: Any) -> str:
        if np.isnan(known(w)).any():
            unknown = all(rate == (None, n) for rate in got.values())
            return "" if unknown else f"{got}, expected None"
        right = known(w) == 0
        nearest = pools.wide(errors).argmin(0)
        det = np.mean([right[nearest[k], k] for k in range(n)])
        ok = {
            "any_correct": right.any(0).mean(),
            "average_correct": right.mean(),
            "dual_correct": right.all(0).mean(),
            "either_correct": (right.any(0) & ~right.all(0)).mean(),
            "dual_incorrect": (~right.any(0)).mean(),
            "det_correct": det,
        }
        return same([got[k].value for k in ok], list(ok.values()), 1e-9)

    return Call("metrics.pathway_rates", lambda: metrics.pathway_rates(w, errors), judge)


def values(draw: Draw, name: str, n: int) -> Any:
    """One number a seed, or what is none."""
    v = np.round(draw.rng.normal(size=n), 1)
    bad = {**pools.junk("NaN"), "number": 0.5, "texts": ["a"] * n, "[N, 1]": v[:, None]}
    bad["list of lists"] = [[1.0]] * n
    return draw.pick(name, {"list": v.tolist(), "array": v, "jax": jnp.asarray(v)}, bad)


def interval(draw: Draw) -> Call:
    n = int(draw.among([1, 2, 5]))
    v = values(draw, "values", n)
    if draw.rng.random() < 0.3 and isinstance(v, list) and not draw.faults:
        v = [*v, None, float("nan")]

    def judge(got: Any) -> str:
        finite = [float(x) for x in v if x is not None and np.isfinite(x)]
        if len(finite) != got.n:
            return f"n {got.n}, expected {len(finite)}"
        return same([got.mean, got.median], [np.mean(finite), np.median(finite)])

    return Call("metrics.interval", lambda: metrics.interval(v), judge)


def paired(draw: Draw) -> Call:
    numbers = {0: 0.5, 1: 0.25, 3: 1.0}
    bad = {
        **pools.junk("dict"),
        "list": [0.5, 0.25],
        "texts": {0: "a"},
        "a rate": metrics.Rate(0.5, 2),
    }
    odd = {"None inside": {0: None, 1: 0.2}, "empty": {}, "NaN inside": {0: float("nan"), 1: 0.5}}
    a, b = (draw.pick(name, {"dict": numbers}, bad, odd) for name in ("a", "b"))
    return Call("metrics.paired_difference", lambda: metrics.paired_difference(a, b))


def lines(draw: Draw) -> Call:
    n = int(draw.among([2, 3, 6]))
    x, y = values(draw, "x", n), values(draw, "y", n)
    if draw.rng.random() < 0.1 and not draw.faults:
        y = draw.pick("y", {"NaN": [np.nan] * n}, {"longer": [0.0] * (n + 1)})
    if draw.rng.random() < 0.5:

        def judge(got: Any) -> str:
            if got is None:
                return ""
            return same(got.slope.mean, np.polyfit(np.asarray(x), np.asarray(y), 1)[0], 1e-4)

        return Call("metrics.mean_line", lambda: metrics.mean_line([(x, y)]), judge)

    degree = pools.whole(draw, "degree", [1, 2], 0)

    def fits(got: Any) -> str:
        if got is None:
            return ""
        right = np.polyfit(np.asarray(x, np.float64), np.asarray(y, np.float64), int(degree))
        return same(got.coefficients, right, 1e-3)

    return Call("metrics.polynomial_fit", lambda: metrics.polynomial_fit(x, y, degree), fits)


CALLS = [
    (2, rate),
    (3, wrong),
    (2, ensemble_wrong),
    (1, fooled),
    (3, transfer),
    (1, disagreement),
    (2, detection),
    (1, pathway_rates),
    (1, interval),
    (1, paired),
    (2, lines),
]
