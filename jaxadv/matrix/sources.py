"""The models of a matrix by name and number, and which of them are attacked at once."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from jaxadv.errors import UserError
from jaxadv.types import Predict

Models: TypeAlias = Mapping[str, Predict | Sequence[Predict]]
Name: TypeAlias = tuple[str, int]  # of a model: its name, and which of the name's models it is


class Source(NamedTuple):
    """Members that are attacked at once, by number; seed: which of the name's sources it is."""

    name: str
    seed: int
    members: tuple[int, ...]


def flat(models: Models) -> tuple[list[Name], list[Predict]]:
    """Name and number of every function, and the functions.

    Raises:
        UserError: if there are none, or a name has none.
    """
    if not isinstance(models, Mapping) or not models:
        raise UserError('models: give names to functions, {"a": f, "b": g} say')
    names, functions = list[Name](), list[Predict]()
    for name, given in models.items():
        each = list(given) if isinstance(given, Sequence) else [given]
        if not each or not isinstance(name, str):
            raise UserError(f"models: {name!r} has no functions; give a name one, or a list")
        names += [(name, number) for number in range(len(each))]
        functions += each
    return names, functions


def sources_of(names: Sequence[Name], joint: Mapping[str, Sequence[str]]) -> list[Source]:
    """Every model alone, then the joint ones.

    Raises:
        UserError: if a joint one names no model, or lists of different lengths.
    """
    found = [Source(name, seed, (i,)) for i, (name, seed) in enumerate(names)]
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
        found += [Source(name, seed, group) for seed, group in enumerate(groups)]
    return found
