"""What studies of pairs share: architectures by name, groups of settings, attacks, checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from experiments.frame import settings
from experiments.frame.grid import Cohort
from experiments.frame.measure import features
from experiments.frame.settings import AtMost, Radii
from experiments.frame.trials import Trial, fgsm_trial, pgd_trial
from jaxadv import models
from jaxadv.attacks import BALLS
from jaxadv.data import Splits
from jaxadv.defences import ramp
from jaxadv.losses import check_regression
from jaxadv.models import Model

MODELS: dict[str, Callable[..., Model]] = {
    "cnn": models.cnn,
    "fc": models.fc,
    "lenet": models.lenet,
}
Combine: TypeAlias = Literal["loss", "logits", "probabilities", "gradients"]
WIDEST = 2**16  # of a sketch: wider than any network's features


@dataclass(frozen=True)
class Decorrelation(settings.Training):
    """How pairs are decorrelated."""

    strengths: tuple[float, ...] = (0.0, 0.05)
    """λ of the correlation loss; 0 is the plain pair."""
    regress: Literal["forward", "backward", "both"] = "forward"
    """Regress features of network 2 on 1 (forward, the paper), 1 on 2, or both."""
    ridge: float = 1.2e-4
    """Ridge relative to the largest singular value; 0 is exact least squares."""
    sketch_width: Annotated[int, AtMost(WIDEST)] = 0
    """Correlate features on so many random directions, fresh each step; 0 is the features."""
    delay_epochs: float = 0.0
    """Epochs before the correlation loss begins."""
    ramp_epochs: float = 0.0
    """Epochs over which λ then rises linearly to its full value."""

    def options(self) -> dict[str, Any]:
        """Those of `defences.decorrelation`."""
        return {
            "schedule": ramp(self.ramp_epochs, self.delay_epochs),
            "sketch_width": self.sketch_width,
            "regress": self.regress,
            "ridge": self.ridge,
        }


# A gentler start, which keeps pairs from collapse.
ROBUST: dict[str, Any] = {
    "strengths": (0.2,),
    "regress": "both",
    "sketch_width": 128,
    "delay_epochs": 2.0,
    "ramp_epochs": 4.0,
}


@dataclass(frozen=True)
class Attacks(settings.Pgd):
    """FGSM and PGD on each network and on both."""

    attacks: tuple[Literal["fgsm", "pgd"], ...] = ("fgsm", "pgd")
    """Attacks; in l2 the single step of fgsm is FGM's."""
    balls: tuple[Literal["linf", "l2"], ...] = ("linf", "l2")
    """Norms that bound the attacks."""
    eps: Radii = (0.05, 0.1, 0.15, 0.2)
    """Attack radii, linf, image range [0, 1]; the l2 radius is eps times sqrt(pixels)."""
    combine: Combine = "loss"
    """Where the members are joined when all are attacked at once."""


def attacks_of(chosen: Attacks, splits: Splits) -> list[Trial]:
    """FGSM and PGD in both balls; in l2 radius and step grow by sqrt(pixels)."""
    scales = {"linf": 1.0, "l2": splits.test.images[0].size ** 0.5}

    def trial(attack: str, ball: str) -> Trial:
        where = BALLS[ball], scales[ball]
        return pgd_trial(chosen, *where) if attack == "pgd" else fgsm_trial(chosen.eps, *where)

    return [
        trial(attack, ball)._replace(combine=chosen.combine)
        for attack in chosen.attacks
        for ball in chosen.balls
    ]


def check_features(of: object, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse images too few to regress the features on, before the first model is trained."""
    for cohort in cohorts:
        features.check_samples(cohort.ensemble, splits)


def check_decorrelation(training: Decorrelation, cohorts: Sequence[Cohort], splits: Splits) -> None:
    """Refuse batches too small for the regressions that pairs are to be decorrelated by."""
    for cohort in cohorts:
        width = training.sketch_width or features.feature_width(cohort.ensemble, splits.train)
        if any(training.strengths):
            check_regression(training.batch_size, width)


def variant_of(strength: float, strengths: Sequence[float]) -> str:
    """The name of pairs trained with λ = `strength`, which it tells where several are."""
    if strength == 0:
        return "plain"
    alone = len({other for other in strengths if other}) == 1
    return "decorrelated" if alone else f"decorrelated λ={strength:g}"
