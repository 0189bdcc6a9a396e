"""Compile times of the programs of the MNIST studies: cold, and from the persistent cache.

python -m benchmarks.compile [--device gpu] [--cases cnn]
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.experimental.compilation_cache import compilation_cache

from benchmarks import report
from benchmarks.report import Row, Settings
from jaxadv import training
from jaxadv.attacks import fgsm, pgd
from jaxadv.compilation import jit
from jaxadv.data.dataset import Dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stacked
from jaxadv.evaluation import evaluate
from jaxadv.models import cnn, fc
from jaxadv.parallel import over_runs
from jaxadv.types import Array, Variables

BENCHMARK = "compile"
MODELS = {"cnn": cnn, "fc": fc}
RUNS = 10  # five seeds, plain and decorrelated
Program = tuple[str, Callable[..., Any], tuple[Any, ...]]


def programs(architecture: str) -> Iterator[Program]:
    """Training, FGSM and PGD-40 of `decorrelated_pairs --preset paper`."""
    ensemble = stacked(MODELS[architecture](), 2)
    phase = decorrelation(ensemble, optax.adam(5e-3), joined="root_sum_square")
    train = Dataset(jnp.zeros((60_000, 28, 28, 1), jnp.uint8), jnp.zeros(60_000, jnp.int32))
    strengths = {"strength": [0.0] * RUNS}
    state = training.init(ensemble.init, [phase], train, range(RUNS), strengths)

    def epoch(state: training.State, data: Dataset) -> Any:
        return training.epoch([phase], 1000, state, data)

    yield f"{architecture} training", over_runs(epoch), (state, train)
    test = Dataset(train.images[:10_000], train.labels[:10_000])
    eps = jnp.asarray([0.05, 0.1, 0.15, 0.2])
    for name, attack in {"fgsm": fgsm, "pgd": lambda eps: pgd(eps, 3 / 255, 40)}.items():

        def attacked(variables: Variables, eps: Array, data: Dataset, attack: Any = attack) -> Any:
            return evaluate(ensemble, variables, attack, eps, data, jax.random.key(0)).adversarial

        yield f"{architecture} {name}", over_runs(attacked), (state.variables, eps, test)


def seconds(program: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Tracing, lowering and compiling, nothing of it remembered in the process."""
    jax.clear_caches()
    begun = time.perf_counter()
    jit(program).lower(*arguments).compile()
    return time.perf_counter() - begun


def use_cache(folder: str | None) -> None:
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def measure(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for architecture in MODELS:
        for name, program, arguments in programs(architecture):
            if not settings.chosen(name):
                continue
            with tempfile.TemporaryDirectory() as folder:
                use_cache(folder)
                cold, warm = (seconds(program, arguments) for _ in range(2))
                use_cache(None)
            print(f"{name}: {cold:.1f} s cold, {warm:.1f} s from the cache")
            keys = {"benchmark": BENCHMARK, "case": name, "contestant": "jaxadv"}
            unmeasured = {"spread_s": None, "ratio_to_eager": None, "peak_share": None}
            times = {"median_s": None, "compile_s": cold, "compile_from_cache_s": warm}
            rows.append({**keys, **times, **unmeasured})
    return rows


if __name__ == "__main__":
    report.main(BENCHMARK, __doc__, measure)
