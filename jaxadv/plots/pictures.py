"""Images in rows, one above another (Wiedeman & Wang, Patterns 2022, Figs 7 and 9)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jaxadv.plots import style
from jaxadv.plots.colours import PALE
from jaxadv.plots.panels import blank

_SIDE = 0.85  # inches of an image


def picture_rows(rows: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Each title's images in a row, from left to right, with the title before them.

    rows: title to images `[K, H, W, C]` in [0, 1]; grey images have one channel. Where there are no
        images a note says so.
    path: of the PNG.

    >>> import numpy as np, os, tempfile
    >>> from jaxadv import plots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.picture_rows({"natural": np.zeros((2, 8, 8, 1))}, f"{folder}/pictures.png")
    ...     print(os.listdir(folder))
    ['pictures.png']

    Raises:
        UserError: if the file cannot be written.
    """
    count = max((len(images) for images in rows.values()), default=0)
    width, height = _SIDE * max(count, 3) + 1.6, _SIDE * max(len(rows), 1)
    with style.drawing(path, len(rows), max(count, 1), width=width, height=height) as (_, grid):
        for line, (title, images) in zip(grid, rows.items(), strict=False):
            if not count:
                blank(line[0], f"{title}: none")
            for ax, image in zip(line, images, strict=False):
                grey = image.shape[-1] == 1
                ax.imshow(image[..., 0] if grey else image, cmap="gray_r", vmin=0, vmax=1)
                ax.set_xticks([])
                ax.set_yticks([])
                ax.grid(False)
                ax.spines[:].set(visible=True, color=PALE)
            if count:
                label = {"rotation": 0, "ha": "right", "va": "center"}
                line[0].set_ylabel(title, **label)
