"""What a study found, in one line: the last thing that a run says."""

from collections.abc import Callable, Sequence

from jaxadv.plots.reduce import distinct, single_source
from jaxadv.results import Row, over_seeds, select


def of_rate(metric: str, words: str, *, first: str = "") -> Callable[[Sequence[Row], float], str]:
    """Each variant's mean of a rate under the last of the attacks, at one l∞ radius.

    words: what the rate is of. first: how pathways are joined, in studies of these.
    """

    def answer(rows: Sequence[Row], eps: float) -> str:
        found = single_source(select(rows, metric=metric, ball="linf"))
        found = select(found, combine=first) if first else found
        if not found:
            return ""
        radii = distinct(found, "eps")
        at = eps if eps in radii else max(radii)
        attack = distinct(select(found, eps=at), "attack")[-1]
        here = select(found, eps=at, attack=attack)
        lines = []
        for model in distinct(here, "model"):
            each = {
                variant: over_seeds(here, model=model, variant=variant)
                for variant in distinct(select(here, model=model), "variant")
            }
            said = ", ".join(f"{name} {value}" for name, value in each.items() if value)
            lines.append(f"{model}: {said}")
        return f"{words} ({attack}, l∞, eps {at:.3g}): {'; '.join(lines)}"

    return answer


transfer = of_rate("transfer_rate", "of images that fool one network, so many fool the other")
survival = of_rate("any_correct", "images of which a reconstruction is read rightly", first="loss")
