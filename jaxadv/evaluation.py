"""Attack once, score every way.

`evaluate` crafts on each *source*, a named subset of the members, and predicts with every member.
What comes back are probabilities; every rate is a reduction of them (`jaxadv.metrics`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxadv.attacks import Attack, CarliniWagner, example_keys
from jaxadv.attacks import ensemble as ensemble_direction
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, EnsembleOutputs, Indices
from jaxadv.errors import UserError
from jaxadv.parallel import over_axis
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key, Variables

Sources: TypeAlias = Mapping[str, tuple[int, ...]]

ALL = "all"  # the source that attacks every member at once, as a defender of an ensemble must face


class Predictions(NamedTuple):
    """Class probabilities of M members, of A attack settings crafted on S sources.

    labels: `[N]`. clean: `[M, N, C]`. adversarial: `[A, S, M, N, C]`.
    norms: `[A, S, N]`, each perturbation's norm in its attack's ball.
    images: `[A, S, K, …]`, the first K adversarial images; K is 0 unless asked for.
    extras: named scalars `[A, S]` measured on features, and arrays `[A, S, …, N]` measured on each
        example.
    """

    labels: Array
    clean: Array
    adversarial: Array
    norms: Array
    images: Array
    extras: dict[str, Array]


def each_and_all(size: int) -> dict[str, tuple[int, ...]]:
    """The sources "1", "2", … (one member each) and "all" of them at once."""
    single: dict[str, tuple[int, ...]] = {str(index + 1): (index,) for index in range(size)}
    return {**single, ALL: tuple(range(size))} if size > 1 else single


def in_chunks(function: Callable[..., Any], size: int, *arrays: Array) -> Any:
    """`function(*chunk)` over chunks of `size` examples inside one program, joined again.

    Bounds memory by the chunk. The last chunk is padded with copies of the first example.
    """
    count = len(arrays[0])
    size = min(size, count)
    chunks = -(-count // size)
    padded = [array[jnp.arange(chunks * size) % count] for array in arrays]
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
) -> Array:
    """Adversarial images `[N, …]` for the chosen members, float32 in the attack's bounds.

    combine: how several members are joined; see `attacks.ensemble`.

    Random starts are keyed by the example's index, so neither `chunk` nor the device matters.

    Raises:
        UserError: if Carlini & Wagner's attack is given anything but a margin.
    """
    if isinstance(attack, CarliniWagner) and combine != "margin":
        raise UserError(f"combine {combine!r}: Carlini & Wagner's attack needs combine='margin'")
    source, chosen = ensemble.pick(variables, members)

    def perturb(images: Array, labels: Array, indices: Array) -> Array:
        def predict(x: Array) -> Array:
            return source.apply(chosen, x, train=False, key=None)[0].logits

        direction = ensemble_direction(predict, labels, combine)
        return attack(direction, to_float(images), example_keys(key, indices))

    indices = jnp.arange(len(dataset.labels))
    return in_chunks(perturb, chunk, dataset.images, dataset.labels, indices)


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
) -> Predictions:
    """Predictions of every member on `attack(eps)` crafted on every source, for each eps `[A]`.

    eps: whatever `attack` sweeps; for `attacks.cw`, which wants `combine="margin"`, confidences.
    sources: name to member indices; default each member and all at once.
    measure: the members' features `[N, D_m]` on adversarial images to scalars, kept in `extras`.
    examine: the members' outputs for images `[B, …]` to arrays `[…, B]`, kept in `extras`.
    keep: return the first so many adversarial images besides.

    Pure: wrap in `jit` and `over_runs`.
    """
    sources = each_and_all(ensemble.size) if sources is None else sources

    def scored(images: Array) -> tuple[Array, dict[str, Array]]:
        def outputs(x: Array) -> tuple[Any, ...]:
            x = to_float(x)
            result = ensemble.apply(variables, x, train=False, key=None)[0]
            examined = examine(result, x) if examine else {}
            first = {name: jnp.moveaxis(array, -1, 0) for name, array in examined.items()}
            features = result.features if measure else ()
            return jnp.moveaxis(jax.nn.softmax(result.logits), 1, 0), features, first

        probabilities, features, examined = in_chunks(outputs, chunk, images)
        last = {name: jnp.moveaxis(array, 0, -1) for name, array in examined.items()}
        measured = measure(features) if measure else {}
        return jnp.moveaxis(probabilities, 0, 1), {**last, **measured}

    def perturbed(made: Attack | CarliniWagner) -> Array:
        """`[S, N, …]`: sources of one size are items of an axis, if the members are alike."""

        def perturb(members: Indices) -> Array:
            settings: dict[str, Any] = {"combine": combine, "chunk": chunk}
            return craft(ensemble, variables, members, made, dataset, key, **settings)

        if not ensemble.alike:
            return jnp.stack([perturb(members) for members in sources.values()])
        sizes = sorted({len(members) for members in sources.values()})
        groups = [[s for s, m in enumerate(sources.values()) if len(m) == n] for n in sizes]
        members = list(sources.values())
        crafted = [over_axis(perturb)(jnp.asarray([members[s] for s in g])) for g in groups]
        order = np.argsort(np.concatenate(groups))
        return jnp.concatenate(crafted)[order]

    def one(eps: Array) -> tuple[Array, Array, Array, dict[str, Array]]:
        made = attack(eps)
        images = perturbed(made)
        norms = jax.vmap(jax.vmap(made.ball.norm))(images - to_float(dataset.images))
        # One copy of the forward pass for all sources compiles in a third of the time of three.
        probabilities, extras = over_axis(scored)(images)
        return probabilities, norms, images[:, :keep], extras

    adversarial, norms, images, extras = over_axis(one)(jnp.asarray(eps))
    clean = scored(dataset.images)[0]
    return Predictions(dataset.labels, clean, adversarial, norms, images, extras)
