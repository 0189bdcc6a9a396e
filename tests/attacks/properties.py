"""Random attacks on random images, for the tests of what holds for every attack.

A *case* is what hypothesis draws. What a compiled program depends on (attack, objective, shape,
bounds, steps) comes from short lists, so that programs are met again; radii, images, weights and
labels are numbers alone.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from jaxadv.attacks import (
    COMBINATIONS,
    ascend,
    cw,
    example_keys,
    fgm,
    fgsm,
    igs,
    joint,
    l2,
    linf,
    margin,
    mi_fgsm,
    pgd,
    resembling,
    targeted,
    untargeted,
)

N, CLASSES, HIDDEN = 5, 3, 6
SHAPES = [(4, 4, 1), (3, 5, 3)]
BOUNDS = {
    "unit": (0.0, 1.0),
    "normalised": (-2.1, 2.2),
    "bytes": (0, 255),
    "channels": ((-2.1, -2.0, -1.8), (2.2, 2.4, 2.6)),  # three channels alone
}
# name: a function of eps, steps and bounds
ATTACKS = {
    "fgsm": lambda eps, steps, **more: fgsm(eps, **more),
    "fgm": lambda eps, steps, **more: fgm(eps, **more),
    "pgd linf": lambda eps, steps, **more: pgd(eps, eps / 3, steps, linf, **more),
    "pgd 'l2'": lambda eps, steps, **more: pgd(eps, eps / 3, steps, "l2", **more),
    "igs": igs,
    "igs 'l2'": lambda eps, steps, **more: igs(eps, steps, "l2", **more),
    "mi_fgsm": lambda eps, steps, **more: mi_fgsm(eps, steps, 0.9, **more),
    "mi_fgsm l2": lambda eps, steps, **more: mi_fgsm(eps, steps, ball=l2, **more),
}
JOINED = [f"{name} of {count}" for name in COMBINATIONS for count in (1, 2, 3)]
PROBLEMS = [
    "untargeted",
    "targeted",
    "margin",
    *JOINED,
    *[f"targeted {joined}" for joined in JOINED],
]
OBJECTIVES = [*PROBLEMS, "resembling", "ascend", "holes", "nothing"]
RADII = {
    "python": float,
    "float32": np.float32,
    "float64": np.float64,
    "jax": jnp.float32,
    "an example": lambda eps: np.float32(eps) * np.linspace(0, 1, N, dtype=np.float32),
    "an example, jax": lambda eps: jnp.float32(eps) * jnp.linspace(0, 1, N),
}
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": jnp.bfloat16}


@dataclass(frozen=True)
class Case:
    """One attack on N images; see `cases`. share: the radius in the widths of the bounds."""

    attack: str
    objective: str
    shape: tuple[int, ...]
    bounds: str
    steps: int
    share: float
    radius: str
    dtype: str
    library: str
    steep: float  # of the networks: sure ones' gradients fade where they are taken carelessly
    seed: int

    @property
    def limits(self):
        """The bounds in float64, to broadcast."""
        return tuple(np.asarray(limit, np.float64) for limit in BOUNDS[self.bounds])

    @property
    def size(self):
        """Of the numbers that are rounded."""
        return max(np.max(np.abs(limit)) for limit in self.limits)

    @property
    def eps(self):
        low, high = self.limits
        return RADII[self.radius](self.share * np.max(high - low))

    def made(self, eps=None):
        """The attack."""
        if self.attack == "cw":
            return cw(self.share, steps=8, searches=2, step_size=0.05, bounds=BOUNDS[self.bounds])
        eps = self.eps if eps is None else eps
        return ATTACKS[self.attack](eps, self.steps, bounds=BOUNDS[self.bounds])

    def images(self, outside=False):
        """`[N, …]` within the bounds, a third black, a sixth white; or some pixels outside."""
        rng = np.random.default_rng(self.seed)
        kind, share = rng.uniform(size=(2, N, *self.shape))
        share = np.where(kind < 1 / 3, 0, np.where(kind > 5 / 6, 1, share))
        if outside:
            share = np.where(rng.uniform(size=share.shape) < 0.2, 3 * share - 1, share)
        low, high = self.limits
        rounded = np.asarray(low + (high - low) * share, DTYPES[self.dtype])
        if not outside:  # half precision rounds the bounds themselves outwards
            kept = (rounded.astype(float) >= low) & (rounded.astype(float) <= high)
            rounded = np.where(kept, rounded, np.asarray((low + high) / 2, rounded.dtype))
        return jnp.asarray(rounded) if self.library == "jax" else rounded

    def given(self):
        """What the objective is made of: weights of the networks, labels, marks of the pixels."""
        rng = np.random.default_rng(self.seed + 1)
        members = int(self.objective[-1]) if self.objective in PROBLEMS[3:] else 1
        pixels = int(np.prod(self.shape))
        low, high = self.limits
        width = np.broadcast_to((high - low), self.shape).ravel()[:, None]
        return {
            "first": np.float32(rng.normal(size=(members, pixels, HIDDEN)) * 2 / width),
            "second": np.float32(self.steep * rng.normal(size=(members, HIDDEN, CLASSES))),
            "labels": rng.integers(0, CLASSES, N),
            "marks": rng.integers(0, 5, (N, *self.shape)),
        }


def cases(attacks=(*ATTACKS, "cw"), objectives=OBJECTIVES):
    """Cases of these attacks; Carlini & Wagner's has problems alone."""
    drawn = st.builds(
        Case,
        attack=st.sampled_from(attacks),
        objective=st.sampled_from(objectives),
        shape=st.sampled_from(SHAPES),
        bounds=st.sampled_from(list(BOUNDS)),
        steps=st.sampled_from([1, 4]),
        share=st.sampled_from([0.0, 1e-4, 1 / 255, 0.03, 0.1, 0.3, 1.0, 5.0]),
        radius=st.sampled_from(list(RADII)),
        dtype=st.sampled_from(list(DTYPES)),
        library=st.sampled_from(["numpy", "jax"]),
        steep=st.sampled_from([1.0, 30.0]),
        seed=st.integers(0, 2**20),
    )
    return drawn.map(_fitting)


def _fitting(case):
    """The case that can be: a bound each channel needs channels, C & W's attack a problem."""
    if case.bounds == "channels":
        case = replace(case, shape=SHAPES[1])
    if case.attack == "cw" and case.objective not in PROBLEMS:
        case = replace(case, objective=PROBLEMS[case.seed % len(PROBLEMS)])
    return case


def objective(name, given):
    """The direction of that name."""
    labels, marks = given["labels"], given["marks"]

    def members(x):
        hidden = jnp.tanh(jnp.einsum("bp,mph->mbh", x.reshape(len(x), -1), given["first"]))
        return jnp.einsum("mbh,mhc->mbc", hidden, given["second"])

    slope = jnp.where(marks % 2 == 0, 1.0, -0.5)
    holes = jnp.select([marks == 0, marks == 1, marks == 2], [jnp.nan, jnp.inf, 0.0], slope)
    alone = {"untargeted": untargeted, "targeted": targeted, "margin": margin}
    plain = {
        "resembling": resembling(lambda x: members(x)[0], jnp.ones((len(labels), CLASSES))),
        "ascend": ascend(lambda x: jnp.sum(slope * x, axis=tuple(range(1, x.ndim)))),
        "holes": lambda x: (None, holes),
        "nothing": lambda x: (jnp.zeros(len(x)), jnp.zeros_like(x)),
    }
    if name in alone:
        return alone[name](lambda x: members(x)[0], labels)
    if name in plain:
        return plain[name]
    combine = name.removeprefix("targeted ").partition(" of ")[0]
    return joint(members, labels, combine, targeted=name.startswith("targeted "))


@partial(jax.jit, static_argnames="name")
def run(attack, name, given, x, key, indices):
    """Adversarial images and flags in one program; radii, weights and images are its arguments."""
    return attack.flagged(objective(name, given), x, example_keys(key, indices))


def chosen(given, order):
    """What belongs to some examples, and all that belongs to the networks."""
    return {name: v[order] if name in ("labels", "marks") else v for name, v in given.items()}
