"""Many seeds and many radii in one program: what each costs beyond the first.

    python -m benchmarks.seeds [--device gpu] [--cases training] [--devices 8]

Training: five steps of a decorrelated FC pair at batch 1000 for 1 to 32 seeds. Sweep: FGSM on 1,000
images at 1 and at 8 radii. `ratio_to_one` is the cost against that many times the cost of one: 1 is
what a Python loop would take without its overhead, and less is gained by running them together.
`--devices` splits the seeds over so many virtual devices of a CPU.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import inputs, report
from benchmarks.report import Row, Settings, compiled, finish
from benchmarks.timing import Contestant, interleaved
from jaxadv import training
from jaxadv.attacks import fgsm
from jaxadv.data.dataset import Dataset
from jaxadv.defences import decorrelation
from jaxadv.ensemble import stack, stacked
from jaxadv.evaluation import evaluate
from jaxadv.models import cnn, fc
from jaxadv.parallel import over_runs

BENCHMARK = "seeds"
SEEDS = (1, 2, 4, 8, 16, 32)
RADII = (1, 8)
STEPS, BATCH, STRENGTH = 5, 1000, 0.05


def trained(settings: Settings, seeds: int) -> tuple[Callable[[], Any], float]:
    """An epoch of `STEPS` steps for so many runs, and its compile time."""
    data = jax.tree.map(jnp.asarray, inputs.mnist(settings.data_dir, STEPS * BATCH, "train"))
    ensemble = stacked(fc(), 2)
    phase = decorrelation(ensemble, optax.adam(5e-3), joined="root_sum_square")
    strengths = {"strength": [STRENGTH] * seeds}
    state = training.init(ensemble.init, [phase], data, range(seeds), strengths)

    def one(state: training.State, data: Dataset) -> training.State:
        return training.epoch([phase], BATCH, state, data)[0]

    program, seconds = compiled(over_runs(one), state, data)
    return lambda: finish(program(state, data)), seconds


def swept(settings: Settings, radii: int) -> tuple[Callable[[], Any], float]:
    """A CNN pair attacked at so many radii and scored, and the compile time."""
    data = jax.tree.map(jnp.asarray, inputs.mnist(settings.data_dir, 1000))
    members = [inputs.trained("cnn", settings.reference, number)[1] for number in (1, 2)]
    ensemble, variables = stacked(cnn(), 2), stack(members)
    eps = jnp.asarray(np.linspace(0.05, 0.2, radii), jnp.float32)

    def attacked(variables: Any, eps: Any, data: Dataset) -> Any:
        return evaluate(ensemble, variables, fgsm, eps, data, jax.random.key(0)).adversarial

    program, seconds = compiled(attacked, variables, eps, data)
    return lambda: finish(program(variables, eps, data)), seconds


def scaling(
    case: str,
    unit: str,
    counts: Sequence[int],
    make: Callable[[Settings, int], tuple[Callable[[], Any], float]],
    settings: Settings,
) -> list[Row]:
    """Rows of one program at each count, measured in turns."""
    made = {count: make(settings, count) for count in counts}
    sides = [Contestant(str(count), *made[count]) for count in counts]
    timings = interleaved(sides, settings.rounds)
    one = timings[str(counts[0])].median
    rows: list[Row] = []
    for count in counts:
        median, spread = timings[str(count)]
        rows.append(
            {
                "benchmark": BENCHMARK,
                "case": f"{case}, {count} {unit}",
                "contestant": "jaxadv",
                "devices": jax.device_count(),
                "median_s": median,
                "spread_s": spread,
                "ratio_to_one": median / (count * one),
                "ratio_to_eager": None,
                "compile_s": made[count][1],
                "peak_share": None,
            }
        )
        print(
            f"{rows[-1]['case']}: {median:.3f} s, {rows[-1]['ratio_to_one']:.2f} of {count} × one"
        )
    return rows


def measure(settings: Settings) -> list[Row]:
    rows = []
    if settings.chosen("training"):
        rows += scaling("training", "seeds", SEEDS, trained, settings)
    if settings.chosen("sweep"):
        rows += scaling("sweep", "radii", RADII, swept, settings)
    return rows


if __name__ == "__main__":
    report.main(BENCHMARK, __doc__, measure)
