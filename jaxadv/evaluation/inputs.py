"""What crafting and evaluating are given, checked before anything is computed."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxadv.attacks import Attack, CarliniWagner, example_keys
from jaxadv.checks import check_key, is_traced, numbers
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.ensemble import Ensemble
from jaxadv.ensemble.ensemble import check_classes, check_ensemble
from jaxadv.errors import UserError
from jaxadv.types import Array, Key, Variables

AnyAttack: TypeAlias = Attack | CarliniWagner


class _Aims(NamedTuple):
    """What images are to be taken for: not their `classes [N]`, or, if `targeted`, these."""

    classes: Array
    targeted: bool


def checked_aims(
    ensemble: Ensemble, variables: Variables, dataset: Dataset, targets: Array | None
) -> _Aims:
    """The labels to be missed, or the targets `[N]` to be met.

    Raises:
        UserError: if targets are no class indices of the networks, one an example.
    """
    if targets is None:
        return _Aims(dataset.labels, False)
    aimed = Dataset(dataset.images, targets)
    try:
        check_dataset(aimed)
        check_classes(ensemble, variables, aimed)
    except UserError as error:
        raise UserError(f"targets: {error}") from None
    return _Aims(jnp.asarray(targets), True)


def checked_dataset(
    ensemble: Ensemble, variables: Variables, dataset: Dataset, key: Key
) -> Dataset:
    """The data as jax arrays, once they fit the networks.

    Raises:
        UserError: if they do not, or the key is none.
    """
    check_ensemble(ensemble)
    check_dataset(dataset)
    check_key(key)
    check_classes(ensemble, variables, dataset)
    constant = not any(map(is_traced, dataset))
    found = Dataset(*map(jnp.asarray, dataset))
    # Behind a barrier XLA cannot compute, while it compiles, what depends on constants alone.
    return Dataset(*lax.optimization_barrier(tuple(found))) if constant else found


def keys_of(key: Key, dataset: Dataset, indices: Array | None) -> Key:
    """One key an example `[N]`, by its index in the data set that it was taken from.

    Raises:
        UserError: if there are not as many indices as examples.
    """
    count = len(dataset.labels)
    found = np.arange(count) if indices is None else indices
    keys = example_keys(key, found)
    if len(keys) != count:
        raise UserError(f"{len(keys)} indices for {count} examples: give one an example")
    return keys


def check_attack(attack: Any) -> None:
    """Refuse what is no attack of a radius.

    Raises:
        UserError: if so.
    """
    if not hasattr(attack, "flagged") or not hasattr(attack, "ball"):
        kind = getattr(attack, "__name__", type(attack).__name__)
        raise UserError(f"{kind} for an attack: give one of jaxadv.attacks, pgd(0.1, 0.01) say")


def check_sweep(attack: Any, eps: Any) -> None:
    """Refuse what is no function from each of the radii to an attack.

    Raises:
        UserError: if so.
    """
    if isinstance(attack, AnyAttack) or not callable(attack):
        raise UserError(
            f"a {type(attack).__name__} for attacks of every radius: give a function of eps, "
            "attacks.fgsm or lambda eps: attacks.pgd(eps, 0.01)"
        )
    _check_call(attack)
    wanted = "give a list of radii [A], [0.1] say"
    radii = numbers("eps", eps, wanted)
    if radii.ndim != 1 or len(radii) == 0:
        raise UserError(f"eps {eps}: {wanted}")
    for radius in () if is_traced(eps) else np.asarray(eps):
        check_attack(attack(radius))  # refuses what can be looked at: later it is traced


def _check_call(attack: Callable[..., Any]) -> None:
    """Refuse a function that does not take a radius.

    Raises:
        UserError: if so.
    """
    try:
        inspect.signature(attack).bind(0.0)
    except TypeError:
        name = getattr(attack, "__name__", type(attack).__name__)
        raise UserError(f"attack {name}: give a function of eps alone, attacks.fgsm say") from None
    except ValueError:  # one that does not say what it takes
        pass
