#!/usr/bin/env bash
# Flax's BatchNorm and LayerNorm compute the variance as E[x^2] - E[x]^2: where a feature's mean is
# thousands of its standard deviations, outputs come out hundreds of times too large.
#
# Nearly dead or shifted features come so far. PyTorch's layers are right.
# Versions: flax 0.12.8, jax 0.10.2; torch 2.13.0 for comparison.
# Run: 2026-11-28, Python 3.11, CPU. Largest factor by which an output's std missed 1:
#   mean / std            100    1000    3000   10000
#   linen.BatchNorm     1.002   1.132   323.9   331.6   (nnx.BatchNorm alike)
#   linen.LayerNorm     1.001   1.059  1018.3  1065.1
#   PyTorch, and Flax with use_fast_variance=False: 1.000
# Instead: use_fast_variance=False.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 flax==0.12.8 torch==2.13.0
"$work/venv/bin/python" - <<'EOF'
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

rng = np.random.default_rng(0)


def linen(module, x):
    y, _ = module.apply(module.init(jax.random.key(0), x), x, mutable=["batch_stats"])
    return np.asarray(y)


layers = {
    "linen.BatchNorm": lambda x: linen(nn.BatchNorm(use_running_average=False), jnp.asarray(x)),
    "nnx.BatchNorm": lambda x: np.asarray(nnx.BatchNorm(16, rngs=nnx.Rngs(0))(jnp.asarray(x))),
    "linen.LayerNorm": lambda x: linen(nn.LayerNorm(), jnp.asarray(x.T)).T,
    "linen.BatchNorm, exact": lambda x: linen(
        nn.BatchNorm(use_running_average=False, use_fast_variance=False), jnp.asarray(x)
    ),
    "torch BatchNorm1d": lambda x: torch.nn.BatchNorm1d(16)(torch.tensor(x)).detach().numpy(),
    "torch LayerNorm": lambda x: torch.nn.LayerNorm(256)(torch.tensor(x.T)).detach().numpy().T,
}
ratios = (100, 1000, 3000, 10000)
worst = {}
print(
    "largest deviation of an output's standard deviation from 1, as a factor, at mean / std =",
    *ratios,
)
for name, layer in layers.items():
    for ratio in ratios:
        x = (rng.standard_normal((256, 16)) + ratio).astype(np.float32)
        deviation = layer(x).std(axis=0)
        worst[name, ratio] = np.maximum(deviation, 1 / deviation).max()
    print(f"{name:23}", *(f"{worst[name, ratio]:9.3f}" for ratio in ratios))

fast = ("linen.BatchNorm", "nnx.BatchNorm", "linen.LayerNorm")
if not all(
    worst[name, 10000] > 10 if name in fast else worst[name, 10000] < 1.01 for name in layers
):
    raise SystemExit("changed")
EOF
