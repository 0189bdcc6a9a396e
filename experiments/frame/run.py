"""Run a study: begin, train or take what is trained, measure, write, show."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import jax
from jax.experimental import multihost_utils

from experiments.frame import cli, numbers, parts, report, train, trials
from experiments.frame.finished import is_finished
from experiments.frame.job import Job
from experiments.frame.settings import Settings, options, trained_by
from experiments.frame.study import Study, about, find
from experiments.frame.tables import terminal
from jaxadv import results
from jaxadv.configs import differences
from jaxadv.data import Splits, load_dataset
from jaxadv.errors import UserError
from jaxadv.processes import join_processes
from jaxadv.schema import plain
from jaxadv.training.loop import check_batch_size

S = TypeVar("S", bound=Settings)


def main(study: Study[Any]) -> None:
    """The script of a study: its settings from the command line, then the run."""

    def task() -> None:
        if {"-h", "--help"} & {*sys.argv[1:]}:
            print(about(study, min(terminal.width() or 80, 100)), end="\n\n")
        run(study, cli.parse(study.name, study.presets))

    cli.run(task)


def run(study: Study[S], settings: S) -> Path:
    """Train, attack, measure, write and draw; the folder of the results.

    Raises:
        UserError: for settings, data or folders that will not do, before anything is trained.
    """
    find(study.name)  # tables and figures are found by the name: refused before it is run
    study.check_settings(settings)
    splits, out, config = begin(study, settings)
    if not is_finished(out, study, config):  # what it measured on the way is not kept
        found = parts.together(_each_cohort(study, settings, splits, out))
        parts.write(out, study.name, config, found)
    train.finish(out)
    report.show(out, settings.place.wide)
    return out


def _each_cohort(study: Study[S], settings: S, splits: Splits, out: Path) -> list[parts.Measured]:
    """What is measured of every cohort, once all that can be checked beforehand is."""
    attacks, cohorts = study.trials(settings, splits), study.cohorts(settings, splits)
    trials.check(attacks)
    test = len(splits.test.labels)
    numbers.check_kept(settings, min((t.examples or test for t in attacks), default=test))
    check_batch_size(settings.training.batch_size, splits.train)
    study.check(settings, cohorts, splits)
    jobs = [Job(settings, splits, out, attacks, cohort) for cohort in cohorts]
    return [study.measured(job, study.train(job)) for job in jobs]


def begin(study: Study[Any], settings: Settings) -> tuple[Splits, Path, dict[str, Any]]:
    """A study's data, its output folder, claimed, and the configuration written there."""
    place = settings.place
    if place.distributed:
        join_processes()
    splits = load(settings)
    out = place.out or Path("runs") / f"{study.name}-{settings.preset}"
    kind = splits.source.partition(": ")[0] if splits.source.startswith("files") else splits.source
    config = {**settings.config(), "data_title": splits.title, "data_source": kind}
    if place.from_dir is not None:
        _check_reuse(place.from_dir, settings, config)
    results.claim(out, {"experiment": study.name, **config}, place.resume)
    if jax.process_count() > 1:  # which all read what the first has written
        multihost_utils.sync_global_devices("claimed")
    return splits, out, config


def load(settings: Settings) -> Splits:
    """The study's data, cut to `train_examples`.

    Raises:
        UserError: if they cannot be read, or are fewer than a setting asks for.
    """
    place, asked = settings.place, settings.data
    folder = place.data_dir
    if folder is not None and place.source != "tfds" and not folder.expanduser().is_dir():
        raise UserError(f"--data-dir {folder}: no folder; give the one that holds {asked.dataset}")
    splits = load_dataset(asked.dataset, place.source, folder)
    count, there = asked.train_examples, len(splits.train.labels)
    if count > there:
        raise UserError(
            f"--train-examples {count}: {splits.title} has {there}; "
            "give 1 to that many, or 0 for all"
        )
    if count:
        images, labels = splits.train
        train = type(splits.train)(images[:count], labels[:count])
        title = f"{splits.title}, first {count:,} training images"
        splits = replace(splits, title=title, train=train)
    numbers.check_batches(settings, splits)
    return splits


def _check_reuse(source: Path, settings: Settings, config: Mapping[str, Any]) -> None:
    """Refuse another run's networks if they were not trained as this run asks."""
    typed = {each.name: each.typed for each in options(settings)} | {"data_title": "data"}
    here, there = trained_by(plain(config, "config")), trained_by(results.read_config(source))
    for name, wanted, found in differences(here, there, besides=("experiment",)):
        raise UserError(
            f"--from {source}: its networks were trained with {typed[name]} {found!r}, "
            f"not {wanted!r}; ask for the same"
        )
