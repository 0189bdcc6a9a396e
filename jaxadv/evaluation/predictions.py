"""Attack once, score every way.

`evaluate` crafts on each *source*, a named subset of the members, and predicts with every member.
What comes back are probabilities; every rate is a reduction of them (`jaxadv.metrics`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxadv.attacks import Attack, CarliniWagner, Flags, example_keys, joint
from jaxadv.attacks.flags import warn
from jaxadv.checks import check_flag, check_function, check_key, check_whole, is_traced, numbers
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.ensemble import (
    Ensemble,
    EnsembleOutputs,
    Indices,
    check_classes,
    check_ensemble,
    check_indices,
    predict,
)
from jaxadv.errors import UserError
from jaxadv.parallel import over_axis, over_runs
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key, Variables

Sources: TypeAlias = Mapping[str, tuple[int, ...]]


class Aims(NamedTuple):
    """What images are to be taken for: not their `classes [N]`, or, if `targeted`, these."""

    classes: Array
    targeted: bool


ALL = "all"  # the source that attacks every member at once, as a defender of an ensemble must face


class Predictions(NamedTuple):
    """Class probabilities of M members, of A attack settings crafted on S sources.

    labels: `[N]`. clean: `[M, N, C]`. adversarial: `[A, S, M, N, C]`.
    norms: `[A, S, N]`, each perturbation's norm in its attack's ball.
    images: `[A, S, K, …]`, the first K adversarial images; K is 0 unless asked for.
    extras: named scalars `[A, S]` measured on features, and arrays `[A, S, …, N]` measured on each
        example.
    flags: `[A, S, N]` each, gradients that were not finite or exactly 0 and other signs that a
        success rate may say too little.
    """

    labels: Array
    clean: Array
    adversarial: Array
    norms: Array
    images: Array
    extras: dict[str, Array]
    flags: Flags


def each_and_all(size: int) -> dict[str, tuple[int, ...]]:
    """The sources "1", "2", … (one member each) and "all" of them at once."""
    single: dict[str, tuple[int, ...]] = {str(index + 1): (index,) for index in range(size)}
    return {**single, ALL: tuple(range(size))} if size > 1 else single


def in_chunks(function: Callable[..., Any], size: int, *arrays: Array) -> Any:
    """`function(*chunk)` over chunks of `size` examples inside one program, joined again.

    Bounds memory by the chunk. The last chunk is padded with copies of the first examples.

    A product of other rows is added up in another order on a CPU, so results hold to rounding and
    no further. Steps by the sign of a gradient that is nearly 0 may then go the other way: PGD's
    images differ in single pixels, with probabilities that agree within 0.005 and rates within
    0.002. The same chunk and number of examples give equal bits.

    Raises:
        UserError: if there are no examples, arrays of different lengths, or `size` is no number of
            them.
    """
    check_whole("chunk", size, 1)
    check_function("chunks", function, "a function of arrays")
    found = [
        array if isinstance(array, jax.Array) else numbers("arrays", array, "give arrays [N, …]")
        for array in arrays
    ]
    lengths = {len(array) if array.ndim else 0 for array in found}
    if len(lengths) != 1 or 0 in lengths:
        raise UserError(f"arrays of {sorted(lengths)} examples: give all one length, at least 1")
    count = lengths.pop()
    size = min(size, count)
    chunks = -(-count // size)
    padded = [jnp.asarray(array)[jnp.arange(chunks * size) % count] for array in found]
    shaped = [array.reshape(chunks, size, *array.shape[1:]) for array in padded]
    joined = lax.map(lambda chunk: function(*chunk), tuple(shaped))
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * size, *leaf.shape[2:])[:count], joined)


def craft(
    ensemble: Ensemble,
    variables: Variables,
    members: Indices,
    attack: Attack | CarliniWagner,
    dataset: Dataset,
    key: Key,
    *,
    combine: str = "loss",
    chunk: int = 1000,
    indices: Array | None = None,
    targets: Array | None = None,
) -> Array:
    """Adversarial images `[N, …]` for the chosen members, float32 in the attack's bounds.

    combine: how several members are joined; see `attacks.joint`.
    chunk: images attacked at once, at most.
    indices: `[N]`, of each example in the data set it was taken from; default 0 … N − 1.
    targets: `[N]`, the classes that the images are to be taken for; None is any but their own.

    Random starts are keyed by the example's index, so neither `chunk` nor the device matters to
    them; what it does to the images after them `in_chunks` says.
    Warns, outside `jit`, of gradients that were not finite or 0, and of images outside the bounds.

    Raises:
        UserError: members, data, labels or key that do not fit; an attack that is none.
    """
    check_attack(attack)
    dataset = _checked(ensemble, variables, dataset, key)
    keys, aims = _keys(key, dataset, indices), checked_aims(ensemble, variables, dataset, targets)
    images, flags = _crafted(
        ensemble, variables, members, attack, dataset.images, aims, keys, combine, chunk
    )
    warn(flags)
    return images


def _crafted(
    ensemble: Ensemble,
    variables: Variables,
    members: Indices,
    attack: Attack | CarliniWagner,
    images: Array,
    aims: Aims,
    keys: Key,
    combine: str,
    chunk: int,
) -> tuple[Array, Flags]:
    """Adversarial images `[N, …]` and what the attack met on the way, `[N]` each."""
    source, chosen = ensemble.pick(variables, members)

    def perturb(images: Array, classes: Array, keys: Key) -> tuple[Array, Flags]:
        read = predict(source, chosen)
        direction = joint(read, classes, combine, targeted=aims.targeted)
        return attack.flagged(direction, to_float(images), keys)

    check_whole("chunk", chunk, 1)
    count = len(aims.classes)
    size = _cached(source, min(chunk, count), count)
    return in_chunks(perturb, size, images, aims.classes, keys)


def _cached(ensemble: Ensemble, chunk: int, count: int) -> int:
    """Images to attack at once: on a CPU no more than its cache holds, in chunks of one size.

    All steps are then taken there, and no step loops over chunks, whose slices XLA would fuse into
    everything that reads them.
    """
    if not ensemble.cached or jax.default_backend() != "cpu":
        return chunk
    chunks = -(-count // min(chunk, ensemble.cached))
    return -(-count // chunks)


def _keys(key: Key, dataset: Dataset, indices: Array | None) -> Key:
    """One key an example, by its index in the data set that it was taken from.

    Raises:
        UserError: if there are not as many indices as examples.
    """
    count = len(dataset.labels)
    found = np.arange(count) if indices is None else indices
    keys = example_keys(key, found)
    if len(keys) != count:
        raise UserError(f"{len(keys)} indices for {count} examples: give one an example")
    return keys


def checked_aims(
    ensemble: Ensemble, variables: Variables, dataset: Dataset, targets: Array | None
) -> Aims:
    """The labels to be missed, or the targets to be met.

    Raises:
        UserError: if targets are no class indices of the networks, one an example.
    """
    if targets is None:
        return Aims(dataset.labels, False)
    aimed = Dataset(dataset.images, targets)
    try:
        check_dataset(aimed)
        check_classes(ensemble, variables, aimed)
    except UserError as error:
        raise UserError(f"targets: {error}") from None
    return Aims(jnp.asarray(targets), True)


def check_attack(attack: Any) -> None:
    """Refuse what is no attack of a radius.

    Raises:
        UserError: if so.
    """
    if not hasattr(attack, "flagged") or not hasattr(attack, "ball"):
        kind = getattr(attack, "__name__", type(attack).__name__)
        raise UserError(f"{kind} for an attack: give one of jaxadv.attacks, pgd(0.1, 0.01) say")


def _check_sweep(attack: Any, eps: Any) -> None:
    """Refuse what is no function from each of the radii to an attack.

    Raises:
        UserError: if so.
    """
    if isinstance(attack, Attack | CarliniWagner) or not callable(attack):
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


def _named(name: str, found: Any) -> dict[str, Array]:
    """What `measure` or `examine` found.

    Raises:
        UserError: if it is no dict.
    """
    if not isinstance(found, Mapping):
        raise UserError(f"{name} returned a {type(found).__name__}: let it return a dict of arrays")
    return dict(found)


def _checked(ensemble: Ensemble, variables: Variables, dataset: Dataset, key: Key) -> Dataset:
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


def _checked_sources(sources: Sources | None, size: int) -> Sources:
    """The sources, by default each member and all.

    Raises:
        UserError: if there are none, or one is no tuple of different members.
    """
    if sources is None:
        return each_and_all(size)
    if not isinstance(sources, Mapping) or not sources:
        raise UserError(f"sources {sources}: give names to member indices, {{'1': (0,)}} say")
    for name, members in sources.items():
        if not isinstance(members, tuple | list):
            raise UserError(f"source {name!r}: {members} is no tuple of members; give ({members},)")
        check_indices(members, size)
        if len(set(members)) < len(members):
            raise UserError(f"source {name!r}: members {members}; name each once")
    return {name: tuple(members) for name, members in sources.items()}


@in_float32
def evaluate(
    ensemble: Ensemble,
    variables: Variables,
    attack: Callable[[Array], Attack | CarliniWagner],
    eps: Array,
    dataset: Dataset,
    key: Key,
    *,
    sources: Sources | None = None,
    combine: str = "loss",
    chunk: int = 1000,
    measure: Callable[[tuple[Array, ...]], dict[str, Array]] | None = None,
    examine: Callable[[EnsembleOutputs, Array], dict[str, Array]] | None = None,
    keep: int = 0,
    indices: Array | None = None,
    targets: Array | None = None,
    spread: bool = False,
) -> Predictions:
    """Predictions of every member on `attack(eps)` crafted on every source, for each eps `[A]`.

    eps: whatever `attack` sweeps; for `attacks.cw` confidences.
    sources: name to member indices; default each member and all at once.
    measure: the members' features `[N, D_m]` on adversarial images to scalars, kept in `extras`.
    examine: the members' outputs for images `[B, …]` to arrays `[…, B]`, kept in `extras`.
    keep: return the first so many adversarial images besides.
    indices: `[N]`, of each example in the data set it was taken from, by which random starts are
        keyed; default 0 … N − 1. `data.evenly_spaced` gives both.
    targets: `[N]`, the classes that the images are to be taken for; None is any but their own.
    spread: share the radii among all devices (a CPU's cores are some after
        `parallel.use_cores()`); not inside `over_runs`, which shares the runs.

    Pure: wrap in `jit` and `over_runs`. Warns, outside `jit`, of what `flags` count.

    Raises:
        UserError: radii, data, labels, sources, chunk or key that do not fit; an attack that is
            none; a combination that is unknown.
    """
    _check_sweep(attack, eps)
    for name, function in {"measure": measure, "examine": examine}.items():
        if function is not None:
            check_function(name, function, "a function that returns a dict of arrays")
    check_ensemble(ensemble)
    check_whole("keep", keep, 0)
    check_flag("spread", spread)
    sources = _checked_sources(sources, ensemble.size)
    dataset = _checked(ensemble, variables, dataset, key)
    keys, aims = _keys(key, dataset, indices), checked_aims(ensemble, variables, dataset, targets)

    def scored(variables: Variables, images: Array) -> tuple[Array, dict[str, Array]]:
        def outputs(x: Array) -> tuple[Any, ...]:
            x = to_float(x)
            result = ensemble.apply(variables, x, train=False, key=None)[0]
            examined = _named("examine", examine(result, x)) if examine else {}
            first = {name: jnp.moveaxis(array, -1, 0) for name, array in examined.items()}
            features = result.features if measure else ()
            return jnp.moveaxis(jax.nn.softmax(result.logits), 1, 0), features, first

        probabilities, features, examined = in_chunks(outputs, chunk, images)
        last = {name: jnp.moveaxis(array, 0, -1) for name, array in examined.items()}
        measured = _named("measure", measure(features)) if measure else {}
        return jnp.moveaxis(probabilities, 0, 1), {**last, **measured}

    def perturbed(
        made: Attack | CarliniWagner, variables: Variables, images: Array, classes: Array, keys: Key
    ) -> tuple[Array, Flags]:
        """`[S, N, …]`: sources of one size are items of an axis, if the members are alike."""

        def perturb(members: Indices) -> tuple[Array, Flags]:
            of = Aims(classes, aims.targeted)
            return _crafted(ensemble, variables, members, made, images, of, keys, combine, chunk)

        if not ensemble.alike:
            found = [perturb(members) for members in sources.values()]
            return jax.tree.map(lambda *each: jnp.stack(each), *found)
        sizes = sorted({len(members) for members in sources.values()})
        groups = [[s for s, m in enumerate(sources.values()) if len(m) == n] for n in sizes]
        members = list(sources.values())
        crafted = [over_axis(perturb)(jnp.asarray([members[s] for s in g])) for g in groups]
        order = np.argsort(np.concatenate(groups))
        return jax.tree.map(lambda *each: jnp.concatenate(each)[order], *crafted)

    def one(
        eps: Array, variables: Variables, natural: Array, classes: Array, keys: Key
    ) -> tuple[Array, Array, Array, dict[str, Array], Flags]:
        made = attack(eps)
        check_attack(made)
        images, flags = perturbed(made, variables, natural, classes, keys)
        norms = jax.vmap(jax.vmap(made.ball.norm))(images - to_float(natural))
        # One copy of the forward pass for all sources compiles in a third of the time of three.
        probabilities, extras = over_axis(lambda x: scored(variables, x))(images)
        return probabilities, norms, images[:, :keep], extras, flags

    share = over_runs if spread else over_axis
    found = share(one)(jnp.asarray(eps), variables, dataset.images, aims.classes, keys)
    adversarial, norms, images, extras, flags = found
    clean = scored(variables, dataset.images)[0]
    warn(flags, above=2)  # `in_float32` stands between
    return Predictions(dataset.labels, clean, adversarial, norms, images, extras, flags)
