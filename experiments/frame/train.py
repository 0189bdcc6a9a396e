"""Train the runs of a study: progress on the terminal, checkpoints, resume, reuse."""

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from experiments.frame import progress
from experiments.frame.settings import trained_by
from jaxadv import checkpoint, results, training
from jaxadv.data import Dataset
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, features
from jaxadv.errors import UserError
from jaxadv.leftovers import CHECKPOINTS
from jaxadv.losses import r_squared
from jaxadv.parallel import hosted, leads
from jaxadv.phases import Metrics, Turns
from jaxadv.training import Phase, State
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
    """Each metric's mean over the runs that have it and did not diverge, and how many did."""
    found = jax.device_get(metrics)
    sound = np.isfinite(found["loss"])
    finite = {name: value[sound & np.isfinite(value)] for name, value in found.items()}
    words = [
        f"{name} {value.mean():.3f}" if len(value) else f"{name} –"
        for name, value in sorted(finite.items())
    ]
    lost = len(_diverged(metrics))
    words += [f"{lost} of {len(metrics['loss'])} runs diverged"] if lost else []
    return f"{', '.join(words)}, {images_per_second:,.0f} images/s"


def _diverged(metrics: Metrics) -> set[int]:
    """The numbers of the runs whose loss is not finite."""
    return set(np.flatnonzero(~np.isfinite(np.asarray(metrics["loss"]))).tolist())


def _say_diverged(name: str, state: State, metrics: Metrics, said: set[int]) -> set[int]:
    """The runs that have diverged; of those not said yet a line on stderr, with the epoch."""
    found = said | _diverged(metrics)
    runs = found - said
    if not runs or not leads():
        return found
    swept = {"seed": state.seed, **state.varied}
    named = [
        " ".join(f"{key} {float(np.asarray(value)[run]):g}" for key, value in swept.items())
        for run in sorted(runs)
    ]
    print(
        f"{name}: diverged in epoch {int(state.epoch[0])}, where the loss is not finite: "
        f"{'; '.join(named)}",
        file=sys.stderr,
        flush=True,
    )
    return found


def _identity(directory: Path, name: str, besides: Sequence[str]) -> dict[str, Any]:
    """What tells a training from others: its name, and the settings of the run in the folder."""
    config = results.read_config(directory)
    return {"networks": name, **trained_by(config, tuple(besides))}


def _reused(
    source: Path, where: Path, state: State, epochs: int, identity: Mapping[str, Any]
) -> State:
    """The finished training in another run's folder, whose study may be another."""
    asked = {key: value for key, value in identity.items() if key != "experiment"}
    found = checkpoint.latest(source / where, partial(_kept, state, epochs), asked)
    done = 0 if found is None else int(found.epoch[0])
    if found is None or done != epochs:
        remedy = "finish that run first, or train without --from"
        remedy = remedy if done < epochs else f"ask for {done}"
        raise UserError(
            f"--from {source}: its {where.name} networks have {done} of {epochs} epochs; {remedy}"
        )
    return found._replace(opt_states=state.opt_states)


def _kept(state: State, epochs: int, epoch: int) -> State:
    """What a checkpoint holds: once trained, runs need their optimizers no more."""
    return state._replace(opt_states=()) if epoch == epochs else state


def finish(directory: Path) -> None:
    """Of a run whose results are written keep the trained networks, as `--from` takes them."""
    for where in (directory / CHECKPOINTS).glob("*"):
        checkpoint.keep_newest(where)


def _begun(where: Path, state: State, epochs: int, identity: Mapping[str, Any]) -> State:
    """The newest of the run's own checkpoints, or the state to begin with."""
    found = checkpoint.latest(where, partial(_kept, state, epochs), identity)
    if found is None:
        return state
    if not found.opt_states:
        found = found._replace(opt_states=state.opt_states)
    # Older checkpoints do not say what they were trained by; the runs in them do in part.
    same = jax.tree.map(np.array_equal, (found.seed, found.varied), (state.seed, state.varied))
    if not all(jax.tree.leaves(same)) or int(found.epoch[0]) > epochs:
        raise UserError(f"{where}: its networks are not this run's; choose a new --out")
    return found


def rewind(name: str, directory: Path, epoch: int) -> None:
    """Forget what a training has kept after `epoch`: it does the epochs after it again."""
    where = directory / CHECKPOINTS / name
    if checkpoint.rewind(where, epoch):
        print(f"{where}: goes back to epoch {epoch} or before", file=sys.stderr)
    if jax.process_count() > 1:  # of which the first has done so
        multihost_utils.sync_global_devices("rewound")


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
    turns: Turns = "batches",
    watch: bool = True,
    decided_by: Sequence[str] = (),
    after: Callable[[State], object] | None = None,
) -> State:
    """The state after `epochs`, from a checkpoint in `directory` on if there is one.

    A checkpoint is written after an epoch, but for epochs shorter than `PAUSE`: a kill loses no
    more than the running epoch, or so many seconds of such epochs.

    reuse: another run's folder; its finished training is taken instead.
    at_once: runs trained side by side on a GPU or TPU; 0 is all.
    turns: whether phases take turns by batches or by epochs, as in `training.fit`.
    watch: report R² of the features after each epoch; needless where these are not trained.
    decided_by: groups of settings that decide this training beside those that decide that of new
        networks.
    after: called with the state after each epoch, before its checkpoint is written.

    Raises:
        UserError: if `reuse` holds no such training, finished to `epochs`, or a checkpoint is of
            other settings than the run's in `directory`.
    """
    where, identity = Path(CHECKPOINTS) / name, _identity(directory, name, decided_by)
    if reuse is not None:
        return hosted(_reused(reuse, where, state, epochs, identity))
    state = _begun(directory / where, state, epochs, identity)
    images = len(state.seed) * (len(dataset.labels) // batch_size) * batch_size
    settings: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "turns": turns}
    watching = monitor(ensemble) if watch else None
    steps = training.fit(phases, state, dataset, **settings, at_once=at_once, monitor=watching)
    saved, lost = -math.inf, set[int]()
    with progress.epochs(name, epochs, int(state.epoch[0])) as report:
        begun = time.perf_counter()
        for state, metrics in steps:
            epoch = int(state.epoch[0])
            lost = _say_diverged(name, state, metrics, lost)
            if after is not None:
                after(hosted(state))
            # Processes save together, and their clocks need not agree on when.
            if epoch == epochs or jax.process_count() > 1 or time.perf_counter() - saved >= PAUSE:
                checkpoint.save(directory / where, _kept(state, epochs, epoch), epoch, identity)
                saved = time.perf_counter()
            report(epoch, _line(metrics, images / (time.perf_counter() - begun)))
            begun = time.perf_counter()
    return hosted(state)
