"""Attacks as a study makes them: each over a sweep of radii, or of what it has instead."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.frame.settings import Pgd
from jaxadv.attacks import Attack, Ball, CarliniWagner, fgm, fgsm, igs, linf, pgd
from jaxadv.evaluation import each_and_all
from jaxadv.evaluation.sources import Sources
from jaxadv.schema import shortest
from jaxadv.types import Array


class Trial(NamedTuple):
    """One attack over a sweep.

    name and ball: as rows name them. make: `eps -> Attack`. radii: `[A]`, in the ball's norm.
    examples: attack so many test images, evenly spaced; 0 is all.
    parameter: what is swept, as rows name it. combine: where members attacked at once are joined.
    sources: the number of members to those that are attacked, by name.
    keys: further keys of its rows.
    """

    name: str
    ball: str
    make: Callable[[Array], Attack | CarliniWagner]
    radii: np.ndarray
    examples: int = 0
    parameter: str = "eps"
    combine: str = "loss"
    sources: Callable[[int], Sources] = each_and_all
    keys: tuple[tuple[str, Any], ...] = ()

    @property
    def title(self) -> str:
        """What tells it from a study's others, as files and arrays are named."""
        return "_".join([self.name, self.ball, *(str(value) for _, value in self.keys)])

    def at(self, number: int) -> dict[str, Any]:
        """The keys of the rows at one of the radii."""
        swept = {self.parameter: shortest(self.radii[number])}
        return {"attack": self.name, "ball": self.ball, **swept, **dict(self.keys)}


def check(trials: Iterable[Trial]) -> None:
    """Make every attack once.

    Raises:
        UserError: if one cannot be, sooner than after a training.
    """
    for trial in trials:
        for radius in trial.radii:
            trial.make(radius)


def fgsm_trial(eps: Sequence[float], ball: Ball = linf, scale: float = 1.0) -> Trial:
    """FGSM over radii, `scale` times as large; in l2 FGM."""
    name, make = ("fgsm", fgsm) if ball is linf else ("fgm", fgm)
    return Trial(name, ball.name, make, scaled(eps, scale))


def pgd_trial(chosen: Pgd, ball: Ball = linf, scale: float = 1.0) -> Trial:
    """PGD as a study's settings have it, radii and step `scale` times as large."""

    def make(radius: Array) -> Attack:
        return pgd(radius, scale * chosen.pgd_step_size, chosen.pgd_steps, ball)

    return Trial("pgd", ball.name, make, scaled(chosen.eps, scale), chosen.pgd_examples)


def igs_trial(eps: Sequence[float], steps: int, examples: int = 0) -> Trial:
    """IGS over radii in the l∞ ball."""
    return Trial("igs", "linf", lambda radius: igs(radius, steps), scaled(eps), examples)


def scaled(eps: Sequence[float], scale: float = 1.0) -> np.ndarray:
    """Radii in float32, each rounded once: 4.2, where 28 times the float32 of 0.15 is 4.2000003."""
    return np.asarray(np.multiply(scale, eps), np.float32)
