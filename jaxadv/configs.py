"""Settings of two runs compared: nested in groups, each named by its own name alone."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting by its name, whatever groups it is in."""
    return dict(_leaves(config))


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield name, value


def differences(
    wanted: Mapping[str, Any],
    found: Mapping[str, Any],
    *,
    both: bool = False,
    besides: Collection[str] = (),
) -> list[tuple[str, Any, Any]]:
    """Settings that are not equal: name, as wanted, as found; None where one is absent.

    both: those that only `found` has count too. besides: names that do not count.
    """
    here, there = flat(wanted), flat(found)
    names = [*here, *(sorted(there.keys() - here.keys()) if both else [])]
    return [
        (name, here.get(name), there.get(name))
        for name in names
        if name not in besides and here.get(name) != there.get(name)
    ]
