"""Calls of `training.init` and `fit` on a small network."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxadv import ensemble as ensembles
from jaxadv import training
from jaxadv.losses import cross_entropy
from tests.fuzz import pools
from tests.fuzz.draw import Call, Draw

CLASSES, N = 3, 6
PAIR = ensembles.stacked(pools.model(), 2)


def loss(variables: Any, batch: Any, key: Any, epoch: Any, settings: Any) -> Any:
    outputs, updated = PAIR.apply(variables, batch.images, train=True, key=key)
    return jnp.mean(cross_entropy(outputs.logits, batch.labels)), (updated, {})


PHASE = training.Phase(loss, optax.sgd(0.1))
PHASES = {"list": [PHASE], "tuple": (PHASE,), "two": [PHASE, PHASE]}
BAD_PHASES: dict[str, Any] = {
    **pools.junk(),
    "one": PHASE,
    "loss": loss,
    "losses": [loss],
    "texts in it": ["sgd"],
    "Nones": [None],
    "no loss": [training.Phase("loss", optax.sgd(0.1))],
    "no optimizer": [training.Phase(loss, "sgd")],
    "loss without metrics": [training.Phase(lambda *a: jnp.float32(0), optax.sgd(0.1))],
    "shares a later": [PHASE._replace(shares=3), PHASE],
    "shares itself": [PHASE._replace(shares=0)],
    "shares text": [PHASE, PHASE._replace(shares="0")],
}
SEEDS = {"range": range(2), "list": [3], "numpy": np.arange(2), "jax": jnp.arange(1)}
BAD_SEEDS: dict[str, Any] = {
    **pools.junk(),
    "4": 4,
    "none": [],
    "negative": [-1],
    "floats": [0.5],
    "texts in it": ["0"],
    "key": pools.KEY,
    "2^32": [2**32],
    "bools": [True],
    "[[0]]": [[0]],
    "None in it": [None],
    "floats whole": [0.0],
}


def data(draw: Draw) -> Any:
    return pools.dataset(draw, N, CLASSES)


def begun(draw: Draw) -> Call:
    phases = draw.pick("phases", PHASES, BAD_PHASES)
    if draw.words[-1] == "phases=loss without metrics!":
        draw.faults, draw.odd = 0, True  # seen when it is trained with
    given = data(draw)
    if "labels beyond" in draw.words[-1] or "labels huge" in draw.words[-1]:
        draw.faults, draw.odd = 0, True  # `init` sees no logits
    seeds = draw.pick("seeds", SEEDS, BAD_SEEDS)
    start = draw.pick(
        "init", {"the pair's": PAIR.init}, {**pools.junk("lambda", "class"), "ensemble": PAIR}
    )
    more: dict[str, Any] = {}
    if draw.rng.random() < 0.3:
        count = len(seeds) if np.ndim(seeds) == 1 and not isinstance(seeds, str) else 1
        bad = {
            **pools.junk("None", "dict"),
            "a number each": {"weight": 0.5},
            "one more": {"weight": [1.0] * (count + 1)},
            "texts in it": {"weight": ["a"] * count},
            "a list": [0.1],
            "number names": {0: [0.1] * count},
            "nan": {"weight": [float("nan")] * count},
        }
        more["settings"] = draw.pick("settings", {"weights": {"weight": [0.5] * count}}, bad)

    def judge(got: Any) -> str:
        finite = [np.isfinite(leaf).all() for leaf in jax.tree.leaves(got.variables)]
        return "" if all(finite) and len(got.epoch) == len(seeds) else "a state that is none"

    run = lambda: training.init(start, phases, given, seeds, **more)  # noqa: E731
    return Call("training.init", run, judge)


def fitted(draw: Draw) -> Call:
    share = np.float32(draw.rng.uniform(size=(N, *pools.SHAPE)))
    good = pools.Dataset(share, np.arange(N) % CLASSES)
    bad = BAD_PHASES | {"none": []}
    phases = draw.pick("phases", {"list": [PHASE], "tuple": (PHASE,)}, bad)
    given = data(draw)
    wrong = {**pools.junk(), "variables": {"params": {}}, "ensemble": PAIR, "tuple": (1, 2)}
    state = training.init(PAIR.init, [PHASE], good, [0, 1])
    state = draw.pick("state", {"made": state}, wrong)
    epochs = pools.whole(draw, "epochs", [0, 1, 2], 0)
    batch = draw.pick(
        "batch_size",
        {"3": 3, "6": 6, "numpy": np.int64(2)},
        {**pools.junk(), "0": 0, "7": 7, "-1": -1, "2.0": 2.0, "text 3": "3", "True": True},
    )
    more: dict[str, Any] = {}
    if draw.rng.random() < 0.3:
        bad = {**pools.junk(), "batch": "batch", "list": ["batches"]}
        more["turns"] = draw.pick("turns", {"epochs": "epochs"}, bad)
    if draw.rng.random() < 0.2:
        more["at_once"] = pools.whole(draw, "at_once", [0, 1], 0)
    if draw.rng.random() < 0.2:
        bad = {**pools.junk("None", "lambda", "class"), "gives a number": lambda v, b: 3}
        more["monitor"] = draw.pick("monitor", {"ones": lambda v, b: {"one": jnp.ones(())}}, bad)

    def run() -> Any:
        made = training.fit(phases, state, given, epochs=epochs, batch_size=batch, **more)
        return [(np.asarray(s.epoch), m) for s, m in made]

    def judge(got: Any) -> str:
        if len(got) != epochs:
            return f"{len(got)} epochs"
        finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(got))
        return "" if finite else "metrics that are not finite"

    if epochs == 0 and draw.faults:
        draw.odd, draw.faults = True, 0  # what is not done cannot go wrong
    return Call("training.fit", run, judge)


CALLS = [(1, begun), (1, fitted)]
