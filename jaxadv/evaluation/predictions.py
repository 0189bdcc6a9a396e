"""Predictions of every member, of every source's images, at every radius."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxadv.attacks import Flags
from jaxadv.attacks.flags import warn
from jaxadv.checks import check_flag, check_function, check_whole
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble
from jaxadv.ensemble.ensemble import check_ensemble
from jaxadv.evaluation.crafting import Examples, crafted
from jaxadv.evaluation.inputs import (
    AnyAttack,
    check_attack,
    check_sweep,
    checked_aims,
    checked_dataset,
    keys_of,
)
from jaxadv.evaluation.scoring import Examine, Extras, Measure, scored
from jaxadv.evaluation.sources import Sources, checked_sources, on_each
from jaxadv.parallel import over_axis, over_runs
from jaxadv.precision import in_float32
from jaxadv.types import Array, Indices, Key, Variables


class Predictions(NamedTuple):
    """Class probabilities of M members, of A attack settings crafted on S sources.

    labels: `[N]`. clean: `[M, N, C]`. adversarial: `[A, S, M, N, C]`.
    norms: `[A, S, N]`, each perturbation's norm in its attack's ball.
    images: `[A, S, K, …]`, the first K adversarial images; K is 0 unless asked for.
    extras: named scalars `[A, S]` measured on features, and arrays `[A, S, …, N]` measured on each
        example.
    flags: `[A, S, N]` each, gradients that were not finite or exactly 0 and other signs that a
        success rate may say too little.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import attacks, data, ensemble, evaluation
    >>> bright = lambda x: (x - 0.5) @ jnp.array([[-1.0, 1.0]])
    >>> pair = ensemble.callables([bright, lambda x: -bright(x)])
    >>> given, key = data.Dataset(jnp.ones((4, 1)), jnp.ones(4, int)), jax.random.key(0)
    >>> attack = lambda: evaluation.evaluate(pair, (), attacks.fgsm, [0.1], given, key, keep=3)
    >>> found = jax.eval_shape(attack)  # `attack()` itself, to have it
    >>> found.clean.shape, found.adversarial.shape  # three sources: each member, and both
    ((2, 4, 2), (1, 3, 2, 4, 2))
    >>> found.norms.shape, found.images.shape, found.flags.zero.shape
    ((1, 3, 4), (1, 3, 3, 1), (1, 3, 4))
    """

    labels: Array
    clean: Array
    adversarial: Array
    norms: Array
    images: Array
    extras: Extras
    flags: Flags


@in_float32
def evaluate(
    ensemble: Ensemble,
    variables: Variables,
    attack: Callable[[Array], AnyAttack],
    eps: Array,
    dataset: Dataset,
    key: Key,
    *,
    sources: Sources | None = None,
    combine: str = "loss",
    chunk: int = 1000,
    measure: Measure | None = None,
    examine: Examine | None = None,
    keep: int = 0,
    indices: Array | None = None,
    targets: Array | None = None,
    spread: bool = False,
) -> Predictions:
    """Predictions of every member on `attack(eps)` crafted on every source, for each eps `[A]`.

    eps: whatever `attack` sweeps; for `attacks.cw` confidences.
    dataset: images `[N, …]`, as uint8 0…255 or floats in [0, 1], and labels `[N]`.
    key: of random starts.
    sources: name to member indices; default each member and all at once.
    combine: how the members of a source are joined; see `attacks.joint`.
    chunk: images attacked, or predicted, at once, at most; see `in_chunks`.
    measure: the members' features `[N, D_m]` on adversarial images to scalars, kept in `extras`.
    examine: the members' outputs for images `[B, …]` to arrays `[…, B]`, kept in `extras`.
    keep: return the first so many adversarial images besides.
    indices: `[N]`, of each example in the data set it was taken from, by which random starts are
        keyed; default 0 … N − 1. `data.evenly_spaced` gives both.
    targets: `[N]`, the classes that the images are to be taken for; None is any but their own.
    spread: share the radii among all devices (a CPU's cores are some after
        `parallel.use_cores()`); not inside `over_runs`, which shares the runs.

    Pure: wrap in `jit` and `over_runs`. Warns, outside `jit`, of what `flags` count.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import attacks, data, ensemble, evaluation, metrics
    >>> above = lambda limit: lambda x: (x - limit) @ jnp.array([[-1.0, 1.0]])  # class 1 above it
    >>> pair = ensemble.callables([above(0.5), above(0.6)])
    >>> given = data.Dataset(jnp.array([[0.45], [0.55]]), jnp.array([0, 1]))
    >>> key = jax.random.key(0)
    >>> attack = lambda: evaluation.evaluate(pair, (), attacks.fgsm, [0.1], given, key)
    >>> found = jax.jit(attack)()
    >>> metrics.wrong(found.clean, given.labels).tolist()  # what the second gets wrong as it is
    [[False, False], [False, True]]
    >>> metrics.wrong(found.adversarial[0, 0], given.labels).tolist()  # crafted on the first
    [[True, True], [False, True]]

    Raises:
        UserError: radii, data, labels, sources, chunk or key that do not fit; an attack that is
            none; a combination that is unknown.
    """
    check_sweep(attack, eps)
    _check_options(measure, examine, keep, spread)
    check_ensemble(ensemble)
    sources = checked_sources(sources, ensemble.size)
    dataset = checked_dataset(ensemble, variables, dataset, key)
    keys, aims = keys_of(key, dataset, indices), checked_aims(ensemble, variables, dataset, targets)
    how: dict[str, Any] = {"targeted": aims.targeted, "combine": combine, "chunk": chunk}
    perturb = partial(_perturbed, ensemble, sources, **how)
    score = partial(scored, ensemble, chunk=chunk, measure=measure, examine=examine)
    one = partial(_at_radius, attack, perturb, score, keep)
    examples = Examples(dataset.images, aims.classes, keys)
    found = (over_runs if spread else over_axis)(one)(jnp.asarray(eps), variables, examples)
    clean = score(variables, dataset.images)[0]
    warn(found.flags, above=2)  # `in_float32` stands between
    return Predictions(dataset.labels, clean, *found)


class _Attacked(NamedTuple):
    """What `Predictions` hold of one radius, without its axis."""

    adversarial: Array
    norms: Array
    images: Array
    extras: Extras
    flags: Flags


def _at_radius(
    attack: Callable[[Array], AnyAttack],
    perturb: Callable[..., tuple[Array, Flags]],
    score: Callable[..., tuple[Array, Extras]],
    keep: int,
    eps: Array,
    variables: Variables,
    examples: Examples,
) -> _Attacked:
    """The attack of one radius on every source, scored by every member."""
    made = attack(eps)
    check_attack(made)
    images, flags = perturb(variables, made, examples)
    norms = jax.vmap(jax.vmap(made.ball.norm))(images - to_float(examples.images))
    # One copy of the forward pass for all sources compiles in a third of the time of three.
    probabilities, extras = over_axis(partial(score, variables))(images)
    return _Attacked(probabilities, norms, images[:, :keep], extras, flags)


def _perturbed(
    ensemble: Ensemble,
    sources: Sources,
    variables: Variables,
    attack: AnyAttack,
    examples: Examples,
    **how: Any,
) -> tuple[Array, Flags]:
    """Images `[S, N, …]` crafted on every source, and what the attack met on the way."""

    def perturb(members: Indices) -> tuple[Array, Flags]:
        return crafted(ensemble, variables, members, attack, examples, **how)

    return on_each(perturb, sources, ensemble.alike)


def _check_options(measure: Any, examine: Any, keep: int, spread: bool) -> None:
    """Refuse what `evaluate` cannot do besides.

    Raises:
        UserError: if so.
    """
    for name, function in {"measure": measure, "examine": examine}.items():
        if function is not None:
            check_function(name, function, "a function that returns a dict of arrays")
    check_whole("keep", keep, 0)
    check_flag("spread", spread)
