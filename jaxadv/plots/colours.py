"""Colours that every kind of colour vision tells apart, and which stands for what."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np

INK, GREY, PALE = "#262626", "#767676", "#dcdcdc"

# Okabe & Ito, told apart by every kind of colour vision; the two of the main study are fixed
NAMED = {"plain": "#E69F00", "decorrelated": "#0072B2"}
OTHERS = (
    *("#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#262626", "#832DB6", "#A96B59", "#94A4A2"),  # Petroff's where theirs are used up
)

# Petroff, "Accessible color sequences for data visualization" (2021): ten that stay distinct
CLASSES = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each variant, the same in every figure for those of the main study."""
    others = [name for name in names if name not in NAMED]
    free = [*OTHERS, *(colour for name, colour in NAMED.items() if name not in names)]
    rest = {name: free[i % len(free)] for i, name in enumerate(others)}
    return {name: NAMED.get(name) or rest[name] for name in names}


def ordered_colours(count: int) -> list[tuple[float, ...]]:
    """Colours for an ordered quantity, the larger the darker."""
    return [mpl.colormaps["viridis"](v) for v in np.linspace(0.82, 0.12, max(count, 1))][:count]
