"""The source × target matrix of transfer: every model attacked, all the others asked."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.attacks.flags import warn
from jaxadv.checks import check_whole, numbers
from jaxadv.compilation import jit
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.ensemble import callables
from jaxadv.ensemble.ensemble import check_classes
from jaxadv.errors import UserError
from jaxadv.evaluation import Predictions, evaluate
from jaxadv.evaluation.inputs import AnyAttack, checked_aims
from jaxadv.matrix.radii import attacks_of
from jaxadv.matrix.result import Transfer
from jaxadv.matrix.rows import images_of, rows_of
from jaxadv.matrix.sources import Models, flat, sources_of
from jaxadv.models.functions import plain_function
from jaxadv.traced import Traced, traced
from jaxadv.types import Array, Predict


def transfer(
    models: Models,
    x: Array,
    y: Array,
    attack: AnyAttack | Callable[[Array], AnyAttack],
    *,
    eps: Sequence[float] | None = None,
    targets: Array | None = None,
    joint: Mapping[str, Sequence[str]] | None = None,
    combine: str = "loss",
    key: Array | None = None,
    chunk: int = 1000,
    keep: int = 0,
) -> Transfer:
    """Attack every model and ask all the others: the source × target matrix of transfer.

    models: names to functions of images `[B, …]` to logits `[B, classes]`, or to lists of such
        functions, several of one kind (seeds, say), over which intervals are taken.
    x: images `[N, …]`, in the attack's bounds. y: labels `[N]`.
    attack: an attack, `attacks.pgd(0.1, 0.01)` say, or with `eps` a function from a radius to one,
        `attacks.fgsm` say. eps: the radii `[A]`, all of them one compiled program. A call on others
        compiles nothing again; models that have changed since, in weights or otherwise, are seen.
    targets: `[N]`, the classes that images are to be taken for; none their own.
    joint: names of more sources to the names of the models that each attacks at once, joined as
        `combine` says (`attacks.joint`); of lists the first with the first and so on.
    key: of random starts; default `jax.random.key(0)`. chunk: images attacked at once, at most.
    keep: how many adversarial images to return of each source and radius, the first ones.

    >>> import jax.numpy as jnp
    >>> from jaxadv import attacks, transfer
    >>> x, y = jnp.array([[0.45], [0.55]]), jnp.array([0, 1])
    >>> above = lambda limit: lambda x: (x - limit) @ jnp.array([[-1.0, 1.0]])
    >>> models = {"middle": above(0.5), "late": above(0.6)}
    >>> print(transfer(models, x, y, attacks.fgsm, eps=[0.01, 0.1]).table())
    source  eps   success  middle  late
    middle  0.01  0.000    –       –
    late    0.01  0.500    0.000   –
    middle  0.1   1.000    –       0.500
    late    0.1   0.500    1.000   –

    Raises:
        UserError: models, images, labels, targets, radii or an attack that will not do.
    """
    names, functions = flat(models)
    sources = sources_of(names, joint or {})
    dataset = Dataset(x, y)
    targets = _checked_targets(functions, dataset, targets)
    check_whole("keep", keep, 0)
    made, radii = attacks_of(attack, eps)
    image = jax.eval_shape(to_float, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype))
    of = tuple(traced(plain_function(function), image) for function in functions)
    members = tuple(source.members for source in sources)
    program = _program(of, members, combine, chunk, keep, targets is not None)
    key = jax.random.key(0) if key is None else key
    found = program(made, dataset, targets, key)
    warn(found.flags)
    found = jax.device_get(found)
    rows = rows_of(found, names, sources, radii, targets)
    images = images_of(found, sources) if keep else {}
    every = tuple(dict.fromkeys(source.name for source in sources))
    return Transfer(rows, images, every, tuple(models), tuple(radii))


def _checked_targets(
    functions: Sequence[Predict], dataset: Dataset, targets: Any
) -> np.ndarray | None:
    """The targets, once they, the images and their labels fit the models.

    Checked here, where values can be looked at: the program traces them.

    Raises:
        UserError: if they do not fit, or a target is the image's own class.
    """
    ensemble = callables(functions)
    check_dataset(dataset)
    check_classes(ensemble, (), dataset)
    if targets is None:
        return None
    found = np.asarray(numbers("targets", np.asarray(targets), "give class indices [N]"))
    checked_aims(ensemble, (), dataset, found)
    same = np.flatnonzero(found == np.asarray(dataset.labels))
    if len(same):
        raise UserError(
            f"targets: example {same[0]} is to be taken for its own class, {found[same[0]]}; "
            "give another"
        )
    return found


@lru_cache(maxsize=8)
def _program(
    functions: tuple[Traced, ...],
    sources: tuple[tuple[int, ...], ...],
    combine: str,
    chunk: int,
    keep: int,
    targeted: bool,
) -> Callable[..., Predictions]:
    """Predictions under every attack of a sweep, compiled once for functions that stay the same."""
    ensemble = callables([each.function for each in functions])
    named = {str(number): members for number, members in enumerate(sources)}

    def run(made: AnyAttack, dataset: Dataset, targets: Any, key: Any) -> Predictions:
        def at(number: Array) -> AnyAttack:
            return jax.tree.map(lambda leaf: leaf[number], made)

        numbers = jnp.arange(len(jax.tree.leaves(made)[0]))
        options: dict[str, Any] = {"sources": named, "combine": combine, "chunk": chunk}
        options |= {"keep": keep, "targets": targets if targeted else None}
        return evaluate(ensemble, (), at, numbers, dataset, key, **options)

    return jit(run)
