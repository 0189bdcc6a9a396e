"""What the experiment scripts share: settings from the command line, and one-line errors."""

import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import jax
import tyro
from jax.experimental import multihost_utils

from experiments import AS_SCRIPT, options
from experiments.ending import GRACE, STOPPED, end_within, interruptible, say
from jaxadv import results
from jaxadv.data import Splits, load_dataset
from jaxadv.errors import UserError
from jaxadv.parallel import use_cores
from jaxadv.processes import join_processes
from jaxadv.schema import plain

# Where a run reads and writes: the numbers do not depend on it.
PLACES = (
    *("source", "data_dir", "out", "resume", "from_dir", "first_seed"),
    *("runs_at_once", "distributed", "published_dir"),
)
# What is done with trained networks: another study of them may choose otherwise.
AFTER_TRAINING = (
    *("preset", "models", "ways", "attacks", "balls", "eps", "combine", "directions"),
    *("pgd_steps", "pgd_step_size", "pgd_examples", "save_adversarial"),
    *("dverge_epochs", "dverge_eps", "dverge_steps", "dverge_step_size"),
    *("dverge_turns", "dverge_layers", "published"),
    *(
        "igs_steps",
        "confidence",
        "cw_step_size",
        "cw_first_constant",
        "cw_steps",
        "cw_searches",
        "cw_examples",
        "igs_examples",
    ),
)


@dataclass(frozen=True)
class Common:
    """Settings of every study."""

    preset: str = "quick"
    """smoke (digits, seconds), quick (real data, an hour of a CPU at most), paper (the paper's
    settings) or one the study adds; every other option overrides the preset's value."""
    data: str = "mnist"
    """digits, mnist, fashion_mnist or cifar10."""
    source: Literal["auto", "files", "tfds"] = "auto"
    """Where the data come from: files, tfds, or auto, the first that is there."""
    data_dir: Path | None = None
    """Folder of the data files; default $JAXADV_DATA, else ./data."""
    train_examples: int = 0
    """Train on the first so many images; 0 is all."""
    seeds: int = 5
    """Number of seeds; all of them train in one compiled program."""
    first_seed: int = 0
    """The first seed: runs with other seeds can be joined by experiments.merge."""
    out: Path | None = None
    """Output folder; default runs/STUDY-PRESET."""
    resume: bool = False
    """Go on from the last epoch kept in --out; ends with the numbers of an uninterrupted run (on a
    CPU to the bit, with as many cores)."""
    from_dir: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Reuse the trained networks of another run's folder instead of training."""
    runs_at_once: int = 0
    """Runs (seeds by settings) a GPU or TPU does side by side, to bound its memory; 0 is all. A
    CPU does one a core."""
    distributed: bool = False
    """Share the runs with the other processes of this job, one a machine or GPU: found from SLURM,
    Open MPI or a TPU pod, or set in JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID."""
    save_adversarial: int = 0
    """Write every run's adversarial images of the first so many that an attack takes, each attack,
    eps and source, to adversarial.npz, the natural images and their indices in the test set beside
    them; 0 writes none."""

    @property
    def seed_list(self) -> list[int]:
        return list(range(self.first_seed, self.first_seed + self.seeds))

    def config(self) -> dict[str, Any]:
        """The settings that decide the numbers, for `config.json` and `results.json`."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in PLACES}
        return {**chosen, "seeds": self.seed_list}


Settings = TypeVar("Settings", bound=Common)
Arguments = TypeVar("Arguments")


def use_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder, so that a second run starts at once."""
    base = os.environ.get("JAXADV_CACHE") or os.environ.get("XDG_CACHE_HOME")
    folder = Path(base) if base else Path.home() / ".cache"
    jax.config.update("jax_compilation_cache_dir", str(folder / "jaxadv" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def parse(
    study: str,
    presets: Mapping[str, Settings],
    arguments: Sequence[str] | None = None,
    description: str | None = None,
) -> Settings:
    """The settings of a preset with the command line's overrides.

    Raises:
        UserError: unknown preset or option, or impossible value.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = _preset(words) or "quick"
    if name not in presets:
        raise UserError(f"--preset {name}: {study} has {', '.join(presets)}")
    kind, usual = type(presets[name]), {"default": presets[name]}
    settings = read_arguments(kind, study, args=words, description=description, **usual)
    options.check(settings)
    return settings


def read_arguments(kind: type[Arguments], script: str, **settings: Any) -> Arguments:
    """The command line of `python -m experiments.SCRIPT`, by tyro, whose box becomes one line.

    Raises:
        UserError: unknown option or impossible value.
    """
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            return tyro.cli(kind, prog=f"python -m experiments.{script}", **settings)
    except SystemExit as stopped:
        if not stopped.code:  # --help
            raise
        raise UserError(_one_line(printed.getvalue())) from None


def _one_line(box: str) -> str:
    """What tyro prints in a box, as one line, without the option's help."""
    line = re.sub(r"[\s\u2500-\u257f]+", " ", box).strip()
    line = re.sub(r" Argument helptext:.*?(?= For full helptext|$)", ";", line)
    return re.sub(r"(\d{20})[\d ]{40,}", r"\1...", line)  # numbers of 5,000 digits


def _preset(words: Sequence[str]) -> str | None:
    """The last --preset on the command line."""
    named = None
    for position, word in enumerate(words):
        if word.startswith("--preset="):
            named = word.partition("=")[2]
        elif word == "--preset" and position + 1 < len(words):
            named = words[position + 1]
    return named


def load(settings: Common) -> Splits:
    """The study's data, cut to `train_examples`.

    Raises:
        UserError: if they cannot be read, or are fewer than a setting asks for.
    """
    folder = settings.data_dir
    if folder is not None and settings.source != "tfds" and not folder.expanduser().is_dir():
        raise UserError(f"--data-dir {folder}: no folder; give the one that holds {settings.data}")
    splits = load_dataset(settings.data, settings.source, folder)
    count = settings.train_examples
    if count > len(splits.train.labels):
        raise UserError(
            f"--train-examples {count}: {splits.title} has {len(splits.train.labels)}; "
            "give 1 to that many, or 0 for all"
        )
    if count:
        images, labels = splits.train
        train = type(splits.train)(images[:count], labels[:count])
        title = f"{splits.title}, first {count:,} training images"
        splits = replace(splits, title=title, train=train)
    options.check_data(settings, splits)
    return splits


def begin(study: str, settings: Common) -> tuple[Splits, Path, dict[str, Any]]:
    """A study's data, its output folder, claimed, and the configuration written there."""
    if settings.distributed:
        join_processes()
    splits = load(settings)
    out = settings.out or Path("runs") / f"{study}-{settings.preset}"
    kind = splits.source.partition(": ")[0] if splits.source.startswith("files") else splits.source
    config = {**settings.config(), "data_title": splits.title, "data_source": kind}
    if settings.from_dir is not None:
        _check_reuse(settings.from_dir, config)
    results.claim(out, {"experiment": study, **config}, settings.resume)
    if jax.process_count() > 1:  # which all read what the first has written
        multihost_utils.sync_global_devices("claimed")
    return splits, out, config


def trained_by(config: Mapping[str, Any], besides: Sequence[str] = ()) -> dict[str, Any]:
    """Of a run's settings those that its networks are trained by.

    besides: names of others, by which networks are that are trained further.
    """
    others = {*AFTER_TRAINING, "data_source"} - set(besides)
    return {key: value for key, value in config.items() if key not in others}


def _check_reuse(source: Path, config: Mapping[str, Any]) -> None:
    """Refuse another run's networks if they were not trained as this run asks."""
    there = results.read_config(source)
    for key, wanted in trained_by(plain(config, "config")).items():
        if there.get(key) != wanted:
            name = "data" if key == "data_title" else options.option(key)
            raise UserError(
                f"--from {source}: its networks were trained with {name} {there.get(key)!r}, "
                f"not {wanted!r}; ask for the same"
            )


def run(study: Callable[[], None], *, resumable: bool = True) -> None:
    """Run a study; bad input ends it with one line on stderr and status 2.

    resumable: whether the command has an option --resume, to be advised when it is stopped.
    """
    advice = ": add --resume to go on from the last epoch kept" if resumable else ""
    stopped = f"\nstopped{advice}"
    with interruptible(stopped):
        try:
            use_compilation_cache()
            use_cores()
            study()
        except UserError as error:
            line, status = f"error: {error}", 2
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            line, status = f"error: {where}{error.strerror or error}; choose another folder", 2
        except KeyboardInterrupt:
            line, status = stopped, STOPPED
        except Exception:
            if AS_SCRIPT:
                end_within(GRACE, 1)
            raise
        else:
            return
    say(line)
    if AS_SCRIPT:
        end_within(GRACE, status)
    raise SystemExit(status)
