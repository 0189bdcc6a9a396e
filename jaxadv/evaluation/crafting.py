"""Adversarial images for chosen members of an ensemble."""

from typing import Any, NamedTuple

from jaxadv.attacks import Flags, joint
from jaxadv.attacks.flags import warn
from jaxadv.checks import check_whole
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, predict
from jaxadv.evaluation.chunks import in_chunks, within_cache
from jaxadv.evaluation.inputs import (
    AnyAttack,
    check_attack,
    checked_aims,
    checked_dataset,
    keys_of,
)
from jaxadv.types import Array, Indices, Key, Variables


class Examples(NamedTuple):
    """What is attacked.

    images: `[N, …]`. classes: `[N]`, to be missed or met. keys: `[N]`, of random starts.
    """

    images: Array
    classes: Array
    keys: Key


def craft(
    ensemble: Ensemble,
    variables: Variables,
    members: Indices,
    attack: AnyAttack,
    dataset: Dataset,
    key: Key,
    *,
    combine: str = "loss",
    chunk: int = 1000,
    indices: Array | None = None,
    targets: Array | None = None,
) -> Array:
    """Adversarial images `[N, …]` for the chosen members, float32 in the attack's bounds.

    members: their numbers from 0, `[0]` or `(0, 1)` say. dataset: images `[N, …]`, as uint8 0…255
        or floats in [0, 1], and labels `[N]`. key: of random starts.
    combine: how several members are joined; see `attacks.joint`.
    chunk: images attacked at once, at most.
    indices: `[N]`, of each example in the data set it was taken from; default 0 … N − 1.
    targets: `[N]`, the classes that the images are to be taken for; None is any but their own.

    Random starts are keyed by the example's index, so neither `chunk` nor the device matters to
    them; what it does to the images after them `in_chunks` says.
    Warns, outside `jit`, of gradients that were not finite or 0, and of images outside the bounds.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import attacks, data, ensemble, evaluation
    >>> bright = lambda x: (x - 0.5) @ jnp.array([[-1.0, 1.0]])  # class 1 above a half
    >>> pair = ensemble.callables([bright, lambda x: -bright(x)])
    >>> given, key = data.Dataset(jnp.array([[0.75]]), jnp.array([1])), jax.random.key(0)
    >>> print(evaluation.craft(pair, (), [0], attacks.fgsm(0.125), given, key))
    [[0.625]]

    Raises:
        UserError: members, data, labels or key that do not fit; an attack that is none.
    """
    check_attack(attack)
    dataset = checked_dataset(ensemble, variables, dataset, key)
    keys, aims = keys_of(key, dataset, indices), checked_aims(ensemble, variables, dataset, targets)
    examples = Examples(dataset.images, aims.classes, keys)
    how: dict[str, Any] = {"targeted": aims.targeted, "combine": combine, "chunk": chunk}
    images, flags = crafted(ensemble, variables, members, attack, examples, **how)
    warn(flags)
    return images


def crafted(
    ensemble: Ensemble,
    variables: Variables,
    members: Indices,
    attack: AnyAttack,
    examples: Examples,
    *,
    targeted: bool,
    combine: str,
    chunk: int,
) -> tuple[Array, Flags]:
    """Adversarial images `[N, …]` and what the attack met on the way, `[N]` each.

    targeted: whether the examples' classes are to be met.
    """
    source, chosen = ensemble.pick(variables, members)

    def perturb(images: Array, classes: Array, keys: Key) -> tuple[Array, Flags]:
        read = predict(source, chosen)
        direction = joint(read, classes, combine, targeted=targeted)
        return attack.flagged(direction, to_float(images), keys)

    check_whole("chunk", chunk, 1)
    count = len(examples.classes)
    size = within_cache(min(chunk, count), source.cached, count)
    return in_chunks(perturb, size, *examples)
