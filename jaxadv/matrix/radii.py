"""The attacks of all radii as one pytree, so that one program takes them all."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxadv.attacks import Attack
from jaxadv.checks import check_function
from jaxadv.errors import UserError
from jaxadv.evaluation.inputs import AnyAttack, check_attack
from jaxadv.schema import shortest


def attacks_of(attack: Any, eps: Sequence[float] | None) -> tuple[AnyAttack, list[float]]:
    """The attacks of all radii as one, a leading axis on their numbers, and the radii in rows.

    Raises:
        UserError: if radii are given to an attack that has its own, or lack to a function.
    """
    each, radii = _one(attack, eps) if isinstance(attack, AnyAttack) else _several(attack, eps)
    for one in each:
        check_attack(one)
    # What a function builds anew each time, a transformation say, is the first's.
    numbers, form = zip(*map(jax.tree.flatten, each), strict=True)
    stacked = [np.stack([np.float32(n) for n in axis]) for axis in zip(*numbers, strict=True)]
    return jax.tree.unflatten(form[0], stacked), [shortest(radius) for radius in radii]


def _one(attack: AnyAttack, eps: Any) -> tuple[list[AnyAttack], list[Any]]:
    """An attack that has a radius of its own; of Carlini & Wagner it is the confidence.

    Raises:
        UserError: if other radii stand beside it, or it has one an example.
    """
    if eps is not None:
        raise UserError(
            "eps beside an attack, which has its own: give a function, lambda eps: "
            "attacks.pgd(eps, 0.01) say"
        )
    own = attack.eps if isinstance(attack, Attack) else attack.confidence
    if np.ndim(own):
        raise UserError(
            "a radius for each example: give one radius, or a function and a list of them"
        )
    return [attack], [own]


def _several(attack: Any, eps: Any) -> tuple[list[AnyAttack], list[Any]]:
    """A function of a radius, called on each.

    Raises:
        UserError: if there are no radii, or it is no function.
    """
    if eps is None or np.ndim(eps) != 1 or not len(eps):
        raise UserError(f"eps {eps}: give the radii of the attack, [0.05, 0.1] say")
    check_function("attack", attack, "a function from a radius to an attack, attacks.fgsm say")
    radii = list(eps)
    return [attack(np.float32(radius)) for radius in radii], radii
