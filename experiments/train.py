"""Train the runs of a study: progress on the terminal, a checkpoint an epoch, resume, reuse."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxadv import checkpoint, training
from jaxadv.data import Dataset
from jaxadv.ensemble import Ensemble
from jaxadv.errors import UserError
from jaxadv.losses import r_squared
from jaxadv.training import Metrics, Phase, State
from jaxadv.types import Array, Variables


def monitor(ensemble: Ensemble) -> Callable[[Variables, Dataset], Metrics]:
    """R² of member 2's features regressed on member 1's, in-sample on one batch."""

    def measure(variables: Variables, batch: Dataset) -> Metrics:
        outputs = ensemble.apply(variables, batch.images, train=False, key=None)[0]
        return {"r_squared": r_squared(outputs.features[0], outputs.features[1])}

    return measure


def _line(metrics: dict[str, Array], images_per_second: float) -> str:
    shown = {name: float(np.nanmean(np.asarray(value))) for name, value in metrics.items()}
    words = [f"{name} {value:.3f}" for name, value in sorted(shown.items())]
    return f"{', '.join(words)}, {images_per_second:,.0f} images/s"


def trained(
    name: str,
    ensemble: Ensemble,
    phases: Sequence[Phase],
    state: State,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int,
    directory: Path,
    reuse: Path | None = None,
) -> State:
    """The state after `epochs`, from a checkpoint in `directory` on if there is one.

    reuse: another run's folder; its finished training is taken instead.

    Raises:
        UserError: if `reuse` holds no such training, finished to `epochs`.
    """
    where = Path("checkpoints") / name
    if reuse is not None:
        found = checkpoint.latest(reuse / where, state)
        if found is None or int(found.epoch[0]) < epochs:
            done = 0 if found is None else int(found.epoch[0])
            raise UserError(
                f"--from {reuse}: its {name} networks have {done} of {epochs} epochs; "
                "finish that run with --resume first"
            )
        return found
    state = checkpoint.latest(directory / where, state) or state
    images = len(state.seed) * (len(dataset.labels) // batch_size) * batch_size
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed}/{task.total}  {task.fields[line]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(
            f"training {name}", total=epochs, completed=int(state.epoch[0]), line=""
        )
        begun = time.perf_counter()
        begin = state
        for state, metrics in training.fit(
            phases,
            begin,
            dataset,
            epochs=epochs,
            batch_size=batch_size,
            monitor=monitor(ensemble),
        ):
            epoch = int(state.epoch[0])
            checkpoint.save(directory / where, state, epoch)
            now = time.perf_counter()
            line = _line(metrics, images / (now - begun))
            begun = now
            bar.update(task, completed=epoch, line=line)
            if not console.is_terminal:
                print(f"{name} epoch {epoch}/{epochs}: {line}", file=sys.stderr, flush=True)
    return jax.tree.map(jnp.asarray, state)
