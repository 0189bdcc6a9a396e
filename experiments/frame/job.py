"""One cohort of a study on its way: what it is of, how it is trained, where its parts are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from experiments.frame import grid, parts, train
from experiments.frame.grid import Cohort, Keys
from experiments.frame.parts import Measured
from experiments.frame.settings import Settings
from experiments.frame.trials import Trial
from jaxadv import training
from jaxadv.data import Splits
from jaxadv.ensemble import Ensemble
from jaxadv.training import Phase, State

S = TypeVar("S", bound=Settings, covariant=True)


@dataclass(frozen=True)
class Job(Generic[S]):
    """A study's settings, data, output folder and attacks, and one of its cohorts."""

    settings: S
    splits: Splits
    out: Path
    trials: Sequence[Trial]
    cohort: Cohort

    @property
    def ensemble(self) -> Ensemble:
        """What is attacked."""
        return self.cohort.ensemble

    def of(self, cohort: Cohort) -> Self:
        """The same for another cohort."""
        return replace(self, cohort=cohort)

    def begun(self, phases: Sequence[Phase], ensemble: Ensemble | None = None) -> State:
        """Every run before training: the cohort's variants by the seeds.

        ensemble: what is trained, if not what is attacked.
        """
        variants, seeds = self.cohort.variants, self.settings.seed_list
        every, varied = grid.seeds_of(variants, seeds), grid.varied_of(variants, seeds)
        first = (ensemble or self.ensemble).init
        return training.init(first, phases, self.splits.train, every, varied)

    def trained(
        self,
        phases: Sequence[Phase],
        state: State | None = None,
        *,
        stage: str = "",
        ensemble: Ensemble | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        reuse: bool = True,
        **options: Any,
    ) -> State:
        """Every run after a training.

        state: to begin at, else `begun`. stage: a training's name, where a cohort has several.
        epochs, batch_size: if others than the settings'. reuse: whether --from has it.
        options: of `train.trained`.
        """
        settings, place = self.settings.training, self.settings.place
        found = ensemble or self.ensemble
        return train.trained(
            "-".join([self.cohort.name, *([stage] if stage else [])]),
            found,
            phases,
            self.begun(phases, found) if state is None else state,
            self.splits.train,
            epochs=settings.epochs if epochs is None else epochs,
            batch_size=settings.batch_size if batch_size is None else batch_size,
            directory=self.out,
            reuse=place.from_dir if reuse else None,
            at_once=place.runs_at_once,
            **options,
        )

    def runs(self) -> list[Keys]:
        """The keys of every run's rows."""
        return grid.keys_of(self.cohort, self.settings.seed_list)

    def part(self, name: str, make: Callable[[], Measured]) -> Measured:
        """A part of what is measured of the cohort, kept under this name as soon as it is."""
        return parts.once(self.out, f"{self.cohort.name}-{name}", make)
