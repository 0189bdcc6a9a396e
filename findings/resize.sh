#!/usr/bin/env bash
# jax.image.resize and torch.nn.functional.interpolate agree on none of: bilinear when shrinking,
# nearest, bicubic; a network ported between them, or an input-diversity attack, sees other pixels.
#
# JAX widens the kernel when it shrinks, measures nearest from pixel centres, and has another
# cubic kernel.
# Versions: jax 0.10.2, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. A random 32 x 32 image in [0, 1], largest difference:
#   to 14  linear / bilinear 0.44; antialias=False in JAX, or antialias=True in PyTorch: 4e-7
#   to 14  nearest / nearest 0.98; nearest / nearest-exact 0
#   to 48  cubic / bicubic 0.077; cubic / bicubic with antialias=True 7e-7
#   to 48  linear / bilinear 4e-7
# Instead: the pairs above that agree.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 torch==2.13.0
"$work/venv/bin/python" - <<'EOF'
import jax
import numpy as np
import torch
import torch.nn.functional as F

image = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)


def by_jax(size, method, **how):
    return np.asarray(jax.image.resize(image, (1, size, size, 3), method, **how))


def by_torch(size, mode, **how):
    if mode.startswith("bi"):
        how["align_corners"] = False
    return (
        F.interpolate(torch.tensor(image).permute(0, 3, 1, 2), (size, size), mode=mode, **how)
        .permute(0, 2, 3, 1)
        .numpy()
    )


rows = {  # what one takes for the same, then what is the same
    "down to 14, linear / bilinear": (by_jax(14, "linear"), by_torch(14, "bilinear")),
    "down to 14, antialias=False / bilinear": (
        by_jax(14, "linear", antialias=False),
        by_torch(14, "bilinear"),
    ),
    "down to 14, linear / antialias=True": (
        by_jax(14, "linear"),
        by_torch(14, "bilinear", antialias=True),
    ),
    "down to 14, nearest / nearest": (by_jax(14, "nearest"), by_torch(14, "nearest")),
    "down to 14, nearest / nearest-exact": (by_jax(14, "nearest"), by_torch(14, "nearest-exact")),
    "up to 48, cubic / bicubic": (by_jax(48, "cubic"), by_torch(48, "bicubic")),
    "up to 48, cubic / bicubic, antialias=True": (
        by_jax(48, "cubic"),
        by_torch(48, "bicubic", antialias=True),
    ),
    "up to 48, linear / bilinear": (by_jax(48, "linear"), by_torch(48, "bilinear")),
}
print("largest difference of a pixel, images in [0, 1]")
seen = {name: float(np.abs(a - b).max()) for name, (a, b) in rows.items()}
for name, difference in seen.items():
    print(f"{name:42} {difference:.1e}")

surprises = ["linear / bilinear", "nearest / nearest", "cubic / bicubic"]
apart = [f"{way}, {pair}" for way, pair in zip(("down to 14", "down to 14", "up to 48"), surprises)]
if not all(d > 0.05 if name in apart else d < 1e-5 for name, d in seen.items()):
    raise SystemExit("changed")
EOF
