"""Attacks as projected steepest ascent, and the directions they ascend."""

from jaxadv.attacks.attack import Attack, example_keys, fgm, fgsm, mi_fgsm, pgd
from jaxadv.attacks.balls import BALLS, Ball, ball, l2, linf
from jaxadv.attacks.directions import (
    COMBINATIONS,
    Direction,
    ascend,
    ensemble,
    targeted,
    untargeted,
)

__all__ = [
    "BALLS",
    "COMBINATIONS",
    "Attack",
    "Ball",
    "Direction",
    "ascend",
    "ball",
    "ensemble",
    "example_keys",
    "fgm",
    "fgsm",
    "l2",
    "linf",
    "mi_fgsm",
    "pgd",
    "targeted",
    "untargeted",
]
