"""The reader's door: which of my models fools which?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv import metrics
from jaxadv.attacks import Attack, CarliniWagner
from jaxadv.attacks.flags import warn
from jaxadv.checks import check_choice, check_function, check_whole, numbers
from jaxadv.compilation import jit
from jaxadv.data.batches import to_float
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.ensemble import callables, check_classes
from jaxadv.errors import UserError
from jaxadv.evaluation import Predictions, check_attack, checked_aims, evaluate
from jaxadv.metrics import Interval, Rate
from jaxadv.models.functions import plain_function
from jaxadv.results import Row, over_seeds, select
from jaxadv.schema import shortest
from jaxadv.traced import Traced, traced
from jaxadv.types import Array, Predict

Models: TypeAlias = Mapping[str, Predict | Sequence[Predict]]
AnyAttack: TypeAlias = Attack | CarliniWagner
# The rates of a target, and the source's own success that stands beside each.
SUCCESS = {
    "transfer_rate": "success_rate",
    "transfer_rate_clean_correct": "success_rate_clean_correct",
    "error_rate": "success_rate",
}


class _Source(NamedTuple):
    """Members that are attacked at once, by number; seed: which of the name's sources it is."""

    name: str
    seed: int
    members: tuple[int, ...]


@dataclass(frozen=True)
class Transfer:
    """What images made on each source do to each model.

    rows: plain dicts, one number each; `pandas.DataFrame(result.rows)` takes them. `metric` is
        clean_accuracy, success_rate (every attacked model wrong, or taking the image for its
        target), transfer_rate (the same of another model, of images that succeed on the source),
        both again with _clean_correct (of images that all of them had right before), or error_rate;
        `value` is null for 0/0; `n` is of how many images; `seed` and `target_seed` number the
        models of a name.
    images: for each source `[seeds, A, K, …]`, the images asked for by `keep`.
    """

    rows: list[Row]
    images: dict[str, np.ndarray]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    radii: tuple[float, ...]

    def rate(
        self, source: str, target: str, metric: str = "transfer_rate", eps: float | None = None
    ) -> Interval | None:
        """Mean and 95 % interval; None where none is known, or a model would be asked of itself.

        Over the source's models, each a mean over the target's; of a single source over those.
        eps: the radius; may be left out if there is one.

        Raises:
            UserError: if there is no such source, target, rate or radius.
        """
        check_choice("source", source, self.sources)
        check_choice("target", target, self.targets)
        check_choice("metric", metric, SUCCESS)
        where = {"metric": metric, "source": source, "target": target, "eps": self._at(eps)}
        found = select(self.rows, **where)
        if len({row["seed"] for row in found}) < 2:
            found = [{**row, "seed": row["target_seed"]} for row in found]
        return over_seeds(found)

    def success(
        self, source: str, metric: str = "success_rate", eps: float | None = None
    ) -> Interval | None:
        """Mean and 95 % interval over the source's models of their success.

        Raises:
            UserError: if there is no such source, rate or radius.
        """
        check_choice("source", source, self.sources)
        check_choice("metric", metric, set(SUCCESS.values()))
        return over_seeds(self.rows, metric=metric, source=source, eps=self._at(eps))

    def table(self, metric: str = "transfer_rate") -> str:
        """A line for each source and radius: its success, then the rate for every target."""
        check_choice("metric", metric, SUCCESS)
        header = ["source", "eps", "success", *self.targets]
        lines = [
            [source, f"{eps:.3g}", _written(self.success(source, SUCCESS[metric], eps))]
            + [_written(self.rate(source, target, metric, eps)) for target in self.targets]
            for eps in self.radii
            for source in self.sources
        ]
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        padded = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (header, *lines)
        ]
        return "\n".join(padded)

    def plot(
        self, path: str | Path, metric: str = "transfer_rate", eps: float | None = None
    ) -> None:
        """A heat map with numbers, sources down and targets across, written as PNG."""
        from jaxadv.plots.matrix import heat_map  # which loads matplotlib, by no means always

        check_choice("metric", metric, SUCCESS)
        at = self._at(eps)
        means = [[self.rate(s, t, metric, at) for t in self.targets] for s in self.sources]
        values = np.array([[np.nan if m is None else m.mean for m in line] for line in means])
        heat_map(values, self.sources, self.targets, metric, path)

    def _at(self, eps: float | None) -> float:
        if eps is None and len(self.radii) == 1:
            return self.radii[0]
        found = None if eps is None else shortest(eps)
        if found not in self.radii:
            raise UserError(f"eps {eps}: give one of {', '.join(f'{r:g}' for r in self.radii)}")
        return found


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
    names, functions = _flat(models)
    sources = _sources(names, joint or {})
    dataset = Dataset(x, y)
    targets = _checked_targets(functions, dataset, targets)
    check_whole("keep", keep, 0)
    made, radii = _sweep(attack, eps)
    image = jax.eval_shape(to_float, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype))
    of = tuple(traced(plain_function(function), image) for function in functions)
    members = tuple(source.members for source in sources)
    program = _program(of, members, combine, chunk, keep, targets is not None)
    key = jax.random.key(0) if key is None else key
    found = program(made, dataset, targets, key)
    warn(found.flags)
    found = jax.device_get(found)
    wanted = found.labels if targets is None else np.asarray(targets)
    rows = [*_clean_rows(found, names)]
    for a, radius in enumerate(radii):
        for s, source in enumerate(sources):
            rows += _rows(found, (a, s), source, names, wanted, targets is not None, radius)
    images = _kept(found, sources) if keep else {}
    every = tuple(dict.fromkeys(source.name for source in sources))
    return Transfer(rows, images, every, tuple(models), tuple(radii))


def _flat(models: Models) -> tuple[list[tuple[str, int]], list[Predict]]:
    """Name and number of every function, and the functions.

    Raises:
        UserError: if there are none, or a name has none.
    """
    if not isinstance(models, Mapping) or not models:
        raise UserError('models: give names to functions, {"a": f, "b": g} say')
    names, functions = list[tuple[str, int]](), list[Predict]()
    for name, given in models.items():
        each = list(given) if isinstance(given, Sequence) else [given]
        if not each or not isinstance(name, str):
            raise UserError(f"models: {name!r} has no functions; give a name one, or a list")
        names += [(name, number) for number in range(len(each))]
        functions += each
    return names, functions


def _sources(names: list[tuple[str, int]], joint: Mapping[str, Sequence[str]]) -> list[_Source]:
    """Every model alone, then the joint ones.

    Raises:
        UserError: if a joint one names no model, or lists of different lengths.
    """
    found = [_Source(name, seed, (i,)) for i, (name, seed) in enumerate(names)]
    members = {
        name: [i for i, (other, _) in enumerate(names) if other == name] for name, _ in names
    }
    for name, chosen in joint.items():
        unknown = [each for each in chosen if each not in members]
        if name in members or not chosen or unknown or isinstance(chosen, str):
            what = (
                f"{unknown[0]!r} is no model" if unknown else "give it a name of its own and models"
            )
            raise UserError(f"joint {name!r}: {what}; models are {', '.join(members)}")
        lengths = {len(members[each]) for each in chosen}
        if len(lengths) > 1:
            raise UserError(
                f"joint {name!r}: lists of {sorted(lengths)} functions; give one length"
            )
        groups = zip(*(members[each] for each in chosen), strict=True)
        found += [_Source(name, seed, group) for seed, group in enumerate(groups)]
    return found


def _sweep(attack: Any, eps: Sequence[float] | None) -> tuple[AnyAttack, list[float]]:
    """The attacks of all radii as one, a leading axis on their numbers, and the radii in rows.

    Raises:
        UserError: if radii are given to an attack that has its own, or lack to a function.
    """
    if isinstance(attack, Attack | CarliniWagner):
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
        each, radii = [attack], [own]
    else:
        if eps is None or np.ndim(eps) != 1 or not len(eps):
            raise UserError(f"eps {eps}: give the radii of the attack, [0.05, 0.1] say")
        check_function("attack", attack, "a function from a radius to an attack, attacks.fgsm say")
        radii = list(eps)
        each = [attack(np.float32(radius)) for radius in radii]
    for one in each:
        check_attack(one)
    # What a function builds anew each time, a transformation say, is the first's.
    numbers_of, form = zip(*map(jax.tree.flatten, each), strict=True)
    stacked = [np.stack([np.float32(n) for n in axis]) for axis in zip(*numbers_of, strict=True)]
    return jax.tree.unflatten(form[0], stacked), [shortest(radius) for radius in radii]


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


def _clean_rows(found: Predictions, names: list[tuple[str, int]]) -> list[Row]:
    wrong = metrics.wrong(found.clean, found.labels)
    return [
        _row("clean_accuracy", metrics.rate(1 - each), target=name, target_seed=seed)
        for each, (name, seed) in zip(wrong, names, strict=True)
    ]


def _rows(
    found: Predictions,
    place: tuple[int, int],
    source: _Source,
    names: list[tuple[str, int]],
    wanted: np.ndarray,
    targeted: bool,
    eps: float,
) -> list[Row]:
    """What the images of one source at one radius do to every model that was not attacked."""
    scores = found.adversarial[place]
    clean, wrong = (metrics.wrong(p, found.labels) for p in (found.clean, scores))
    hit = 1 - metrics.wrong(scores, wanted) if targeted else wrong
    fooled, right = metrics.fooled(hit, source.members), 1 - np.max(clean[list(source.members)], 0)
    at = {"source": source.name, "seed": source.seed, "eps": eps}
    rows = [
        _row("success_rate", metrics.rate(fooled), **at),
        _row("success_rate_clean_correct", metrics.rate(fooled, right), **at),
    ]
    for target, (name, seed) in enumerate(names):
        if target in source.members:
            continue
        to = {**at, "target": name, "target_seed": seed}
        plain = metrics.transfer_rate(fooled, hit[target])
        strict = metrics.transfer_rate_clean_correct(fooled, hit[target], 1 - right, clean[target])
        rows.append(_row("transfer_rate", plain, **to))
        rows.append(_row("transfer_rate_clean_correct", strict, **to))
        rows.append(_row("error_rate", metrics.rate(wrong[target]), **to))
    return rows


def _row(metric: str, rate: Rate, **keys: Any) -> Row:
    return {"metric": metric, "value": rate.value, "n": rate.n, **keys}


def _kept(found: Predictions, sources: list[_Source]) -> dict[str, np.ndarray]:
    images: dict[str, list[np.ndarray]] = {}
    for s, source in enumerate(sources):
        images.setdefault(source.name, []).append(np.asarray(found.images[:, s]))
    return {name: np.stack(each) for name, each in images.items()}


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


def _written(value: Interval | None) -> str:
    return "–" if value is None else str(value)
