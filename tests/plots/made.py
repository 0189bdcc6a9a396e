"""Rows as a study's, made up, and what every figure's file must be."""

from pathlib import Path

import numpy as np
from PIL import Image

from jaxadv.results import Row

EPS = (0.05, 0.1)
RATE = "transfer_rate"


def row(metric: str, value: float | None, seed: int, **keys) -> Row:
    """A row of 100 examples; without a value of none."""
    n = 0 if value is None else 100
    return {"metric": metric, "value": value, "n": n, "seed": seed, "model": "cnn", **keys}


def under_attack(metric: str, value: float | None, seed: int, **keys) -> Row:
    attack = {"variant": "plain", "attack": "fgsm", "ball": "linf", "eps": 0.1, "source": "1"}
    return row(metric, value, seed, **{**attack, **keys})


def study(seeds: int = 3) -> list[Row]:
    """Two models, variants, attacks, balls and radii, both directions; value by seed and radius."""
    return [
        under_attack(
            RATE, 0.2 * (seed + 1) + eps * radius, seed, model=model, variant=variant,
            attack=attack, ball=ball, eps=eps * radius, source=source,
        )
        for seed in range(seeds)
        for model in ("cnn", "fc")
        for variant in ("plain", "decorrelated", "a new one")
        for attack in ("fgsm", "mi_fgsm")
        for ball, radius in (("linf", 1), ("l2", 2))
        for eps in EPS
        for source in "12"
    ]  # fmt: skip


def few(seeds: int = 1) -> list[Row]:
    """Those of one model, attack and ball: a figure of one panel."""
    one = {"model": "cnn", "attack": "fgsm", "ball": "linf"}
    return [r for r in study(seeds) if {key: r[key] for key in one} == one]


def with_distance() -> list[Row]:
    rows = []
    for seed in range(2):
        for target in (1000, 2000, 3000):
            at = {"distance": target + 10.0 * seed}
            rows.append(row("r_squared", 0.9, seed, **at))
            for eps in EPS:
                rows.append(under_attack("transfer_rate", 0.5, seed, eps=eps, **at))
                rows.append(under_attack("r_squared", 0.8, seed, eps=eps, **at))
    return rows


def diverged(rows: list[Row], *seeds: int) -> list[Row]:
    """The rows, those of some seeds of networks that diverged."""
    return [r | {"value": None, "n": 100} if r["seed"] in seeds else r for r in rows]


def assert_png(path: Path) -> None:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 400 <= image.width <= 1400
        assert 200 <= image.height <= 1500
    assert 1_000 < path.stat().st_size < 200_000
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing temporary stays


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)
