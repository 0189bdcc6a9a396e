"""Train the runs of a study: progress on the terminal, checkpoints, resume, reuse."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxadv import checkpoint, training
from jaxadv.data import Dataset
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, features
from jaxadv.errors import UserError
from jaxadv.losses import r_squared
from jaxadv.parallel import hosted, leads
from jaxadv.training import Metrics, Phase, State
from jaxadv.types import Array, Variables

PAUSE = 1.0  # seconds, at least, from one checkpoint to the next; writing one takes up to a quarter


def monitor(ensemble: Ensemble) -> Callable[[Variables, Dataset], Metrics]:
    """R² of member 2's features regressed on member 1's, in-sample on one batch.

    Nothing where the batch is too small for a regression: most losses need none.
    """

    def measure(variables: Variables, batch: Dataset) -> Metrics:
        if ensemble.size < 2:
            return {}
        first, second = features(ensemble, variables)(to_float(batch.images))[:2]
        enough = len(first) > first.shape[1] + 1
        return {"r_squared": r_squared(first, second)} if enough else {}

    return measure


def _line(metrics: dict[str, Array], images_per_second: float) -> str:
    shown = {name: float(np.nanmean(np.asarray(value))) for name, value in metrics.items()}
    words = [f"{name} {value:.3f}" for name, value in sorted(shown.items())]
    return f"{', '.join(words)}, {images_per_second:,.0f} images/s"


def _reused(source: Path, where: Path, state: State, epochs: int) -> State:
    """The finished training in another run's folder; that its settings are ours is checked."""
    found = checkpoint.latest(source / where, state)
    done = 0 if found is None else int(found.epoch[0])
    if found is None or done != epochs:
        remedy = "finish that run with --resume first" if done < epochs else f"ask for {done}"
        raise UserError(
            f"--from {source}: its {where.name} networks have {done} of {epochs} epochs; {remedy}"
        )
    return found


@contextmanager
def _progress(name: str, epochs: int, done: int) -> Iterator[Callable[[int, str], None]]:
    """`report(epoch, line)`: a bar on a terminal, a line an epoch elsewhere."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("epoch {task.completed}/{task.total}  {task.fields[line]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not (console.is_terminal and leads())) as bar:
        task = bar.add_task(f"training {name}", total=epochs, completed=done, line="")

        def report(epoch: int, line: str) -> None:
            bar.update(task, completed=epoch, line=line)
            if leads() and not console.is_terminal:
                print(f"{name} epoch {epoch}/{epochs}: {line}", file=sys.stderr, flush=True)

        yield report


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
    at_once: int = 0,
    turns: training.Turns = "batches",
    watch: bool = True,
    after: Callable[[State], object] | None = None,
) -> State:
    """The state after `epochs`, from a checkpoint in `directory` on if there is one.

    A checkpoint is written after an epoch, but for epochs shorter than `PAUSE`: a kill loses no
    more than the running epoch, or so many seconds of such epochs.

    reuse: another run's folder; its finished training is taken instead.
    at_once: runs trained side by side on a GPU or TPU; 0 is all.
    turns: whether phases take turns by batches or by epochs, as in `training.fit`.
    watch: report R² of the features after each epoch; needless where these are not trained.
    after: called with the state after each epoch, before its checkpoint is written.

    Raises:
        UserError: if `reuse` holds no such training, finished to `epochs`.
    """
    where = Path("checkpoints") / name
    if reuse is not None:
        return hosted(_reused(reuse, where, state, epochs))
    state = checkpoint.latest(directory / where, state) or state
    images = len(state.seed) * (len(dataset.labels) // batch_size) * batch_size
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size}
    settings |= {"turns": turns, "at_once": at_once}
    if watch:
        settings["monitor"] = monitor(ensemble)
    steps = training.fit(phases, state, dataset, **settings)
    saved = -math.inf
    with _progress(name, epochs, int(state.epoch[0])) as report:
        begun = time.perf_counter()
        for state, metrics in steps:
            epoch = int(state.epoch[0])
            if after is not None:
                after(hosted(state))
            # Processes save together, and their clocks need not agree on when.
            if epoch == epochs or jax.process_count() > 1 or time.perf_counter() - saved >= PAUSE:
                checkpoint.save(directory / where, state, epoch)
                saved = time.perf_counter()
            now = time.perf_counter()
            report(epoch, _line(metrics, images / (now - begun)))
            begun = now
    return hosted(state)
