"""Attacks as projected steepest ascent, and the directions they ascend."""

from jaxadv.attacks.attack import Attack, example_keys
from jaxadv.attacks.balls import BALLS, Ball, ball, l2, linf
from jaxadv.attacks.carlini_wagner import CarliniWagner, cw
from jaxadv.attacks.directions import (
    Direction,
    ascend,
    joint,
    margin,
    resembling,
    targeted,
    untargeted,
)
from jaxadv.attacks.flags import Flags
from jaxadv.attacks.gradient_based import fgm, fgsm, igs, mi_fgsm, pgd
from jaxadv.attacks.objectives import COMBINATIONS
from jaxadv.attacks.problem import Problem

__all__ = [
    "BALLS",
    "COMBINATIONS",
    "Attack",
    "Ball",
    "CarliniWagner",
    "Direction",
    "Flags",
    "Problem",
    "ascend",
    "ball",
    "cw",
    "example_keys",
    "fgm",
    "fgsm",
    "igs",
    "joint",
    "l2",
    "linf",
    "margin",
    "mi_fgsm",
    "pgd",
    "resembling",
    "targeted",
    "untargeted",
]
