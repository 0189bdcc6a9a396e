"""The words of figures: what keys and values of rows are called in titles, axes and legends."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxadv.metrics import Interval

_MODELS = {"cnn": "CNN", "fc": "FC", "lenet": "LeNet", "dna": "DNA", "ae": "AE"}
# variants as papers write them
VARIANTS = {
    "gal": "GAL",
    "adp": "ADP",
    "dverge": "DVERGE",
    "dverge-decorrelated": "DVERGE from decorrelated",
}
_BALLS = {"linf": r"$\ell_\infty$", "l2": r"$\ell_2$"}


def heading(setting: Mapping[str, Any]) -> str:
    """The title of a panel, such as "CNN · FGSM · l∞ · ε = 0.1"."""
    return " · ".join(_worded(key, value) for key, value in setting.items() if value is not None)


def _worded(key: str, value: Any) -> str:
    if key == "attack":
        return str(value).upper().replace("_", "-")
    if key == "eps":
        return f"ε = {radius(value, 'g')}"
    known = {"model": _MODELS, "ball": _BALLS}.get(key, {})
    return known.get(value, str(value))


def _varying(settings: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys in which the settings of panels differ; all of them of a single panel."""
    if len(settings) < 2:
        return {key for setting in settings for key in setting}
    return {key for key in settings[0] if len({setting.get(key) for setting in settings}) > 1}


def told_apart(settings: Sequence[Mapping[str, Any]]) -> tuple[set[str], str]:
    """The keys that tell panels apart, for their titles, and in words what they all show."""
    told = _varying(settings)
    first = settings[0] if settings else {}
    return told, heading({key: value for key, value in first.items() if key not in told})


def axis_label(x: str, setting: Mapping[str, Any]) -> str:
    """The label of a horizontal axis: of a key of rows."""
    if x != "eps":
        return words(x)
    ball = setting.get("ball") or ""
    return f"{_BALLS.get(ball, ball)} radius, image range [0, 1]".strip()


def words(name: str) -> str:
    """A key of a row as a reader would write it."""
    return name.replace("r_squared", "R²").replace("_", " ")


def radius(eps: float, written: str = ".3g") -> str:
    """A radius as the field writes it: 2/255 where it is so many steps of 8-bit images."""
    steps = 255 * eps
    whole = abs(steps - round(steps)) < 1e-3 and 1 <= round(steps) <= 16
    return f"{round(steps)}/255" if whole else f"{eps:{written}}"


def per_unit(slope: Interval, unit: float) -> str:
    """A slope for each `unit` of the abscissa, with its sign and interval."""
    half = "" if slope.half is None else f" ± {slope.half * unit:.3f}"
    return f"{slope.mean * unit:+.3f}{half}".replace("-", "−")
