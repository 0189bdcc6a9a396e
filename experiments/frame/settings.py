"""Settings of a study, in groups: what decides which numbers is said by the group a setting is in.

*place* decides none of them, *data* and *training* the networks, *attacks* what is measured of
these. So another run's networks may be taken (`--from`) if data and training agree, and a run may
go on (`--resume`) if all but the place does. A study adds settings by a dataclass of its own for a
group; what a number may be stands where it is declared. On the command line groups do not show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias, get_type_hints

import tyro

Name = tyro.conf.arg
PLACE = "place"
LAST_SEED = 2**32 - 1


class AtLeast(NamedTuple):
    """Marks a number, or each of several, that is this large."""

    least: int


class Above(NamedTuple):
    """Marks a number that is larger than this."""

    limit: float


class AtMost(NamedTuple):
    """Marks a number that is no larger than this."""

    most: int


class OfTraining(NamedTuple):
    """Marks a number of training images, of which there cannot be more than the data have."""


class Swept(NamedTuple):
    """Marks what an attack sweeps: rows tell float32 values of it apart."""


Count: TypeAlias = Annotated[int, AtLeast(1)]
Batch: TypeAlias = Annotated[int, AtLeast(1), OfTraining()]
Positive: TypeAlias = Annotated[float, Above(0)]
Radii: TypeAlias = Annotated[tuple[float, ...], Swept()]


@dataclass(frozen=True)
class Place:
    """Where a run reads, writes and computes: the numbers do not depend on it."""

    source: Literal["auto", "files", "tfds"] = "auto"
    """Where the data come from: files, tfds, or auto, the first that is there."""
    data_dir: Path | None = None
    """Folder of the data files; default $JAXADV_DATA, else ./data."""
    out: Path | None = None
    """Output folder; default runs/STUDY-PRESET."""
    resume: bool = False
    """Go on from the last epoch kept in --out; ends with the numbers of an uninterrupted run (on a
    CPU to the bit, with as many cores)."""
    from_dir: Annotated[Path | None, Name(name="from")] = None
    """Reuse the trained networks of another run's folder instead of training."""
    wide: bool = False
    """Print every column of the tables; a terminal is shown those that fit, tables.md has all."""
    runs_at_once: int = 0
    """Runs (seeds by variants) a GPU or TPU does side by side, to bound its memory; 0 is all. A
    CPU does one a core."""
    distributed: bool = False
    """Share the runs with the other processes of this job, one a machine or GPU: found from SLURM,
    Open MPI or a TPU pod, or set in JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, JAX_PROCESS_ID."""


@dataclass(frozen=True)
class Data:
    """Which images."""

    dataset: Annotated[str, Name(name="data")] = "mnist"
    """digits, mnist, fashion_mnist or cifar10."""
    train_examples: int = 0
    """Train on the first so many images; 0 is all."""


@dataclass(frozen=True)
class Training:
    """What networks are trained by."""

    epochs: Count = 20
    """Training epochs."""
    batch_size: Batch = 1000
    """Images a batch."""
    learning_rate: float = 5e-3
    """Of Adam."""


@dataclass(frozen=True)
class Attacks:
    """What is measured of trained networks."""

    save_adversarial: int = 0
    """Write every run's adversarial images of the first so many that an attack takes, each attack,
    eps and source, to adversarial.npz, the natural images and their indices in the test set beside
    them; 0 writes none."""


@dataclass(frozen=True)
class Pgd(Attacks):
    """PGD on trained networks."""

    eps: Radii = (0.05, 0.1, 0.15)
    """Attack radii, linf, image range [0, 1]."""
    pgd_steps: Count = 40
    """Steps of PGD."""
    pgd_step_size: float = 3 / 255
    """Step of PGD, linf, image range [0, 1]; in l2, where it is asked for, times sqrt(pixels)."""
    pgd_examples: int = 2000
    """PGD on so many test images, evenly spaced; 0, or more than there are, is all. FGSM always
    takes all."""


@dataclass(frozen=True)
class Settings:
    """Settings of every study."""

    preset: str = "quick"
    """The settings to begin with; every other option overrides the preset's value."""
    seeds: Count = 5
    """Number of seeds; all of them train in one compiled program."""
    first_seed: Annotated[int, AtMost(LAST_SEED)] = 0
    """The first seed: runs with other seeds can be joined by `experiments merge`."""
    place: Place = Place()
    data: Data = Data()
    training: Training = Training()
    attacks: Attacks = Attacks()

    @property
    def seed_list(self) -> list[int]:
        """The seeds, in the order of the runs of a variant."""
        return list(range(self.first_seed, self.first_seed + self.seeds))

    def but(self, **changes: Any) -> Self:
        """These settings with some of another value, each by its name alone, whatever its group.

        Raises:
            TypeError: if there is no setting of a name.
        """
        named = groups(self)
        top = [name for name in changes if hasattr(self, name) and name not in named]
        own = {name: changes.pop(name) for name in top}
        for group in named:
            mine = getattr(self, group)
            inner = {name: changes.pop(name) for name in [*changes] if hasattr(mine, name)}
            own |= {group: replace(own.get(group, mine), **inner)} if inner else {}
        if changes:
            raise TypeError(f"{', '.join(changes)}: no setting of {type(self).__name__}")
        return replace(self, **own)

    def config(self) -> dict[str, Any]:
        """The settings that decide the numbers, by group, for `config.json` and `results.json`."""
        found = asdict(self)
        del found[PLACE], found["first_seed"]
        return {**found, "seeds": self.seed_list}


class Option(NamedTuple):
    """One setting: its group (none of those of a study as a whole), name, value and marks."""

    group: str
    name: str
    value: Any
    marks: tuple[Any, ...]

    @property
    def typed(self) -> str:
        """The option as it is typed."""
        named = [mark.name for mark in self.marks if getattr(mark, "name", None)]
        return option(named[0] if named else self.name)

    def mark(self, kind: type) -> Any:
        """The mark of a kind, None if there is none."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def option(name: str) -> str:
    """A setting's option, as it is typed, from the name it has there."""
    return f"--{name.replace('_', '-')}"


def groups(settings: Settings) -> list[str]:
    """The names of the groups."""
    return [f.name for f in fields(settings) if is_dataclass(getattr(settings, f.name))]


def options(settings: Settings) -> Iterator[Option]:
    """Every setting."""
    named = {group: getattr(settings, group) for group in groups(settings)}
    for group, holder in {"": settings, **named}.items():
        hints = get_type_hints(type(holder), include_extras=True)
        for f in fields(holder):
            if group or f.name not in named:
                marks = getattr(hints[f.name], "__metadata__", ())
                yield Option(group, f.name, getattr(holder, f.name), marks)


def typed(settings: Settings, name: str) -> str:
    """A setting's option, as it is typed."""
    return next(each.typed for each in options(settings) if each.name == name)


def trained_by(config: Mapping[str, Any], besides: tuple[str, ...] = ()) -> dict[str, Any]:
    """Of a run's configuration what its networks are trained by.

    besides: the groups of a training that goes on from these networks.
    """
    names = ("experiment", "seeds", "data", "training", *besides, "data_title")
    return {name: config[name] for name in names if name in config}
