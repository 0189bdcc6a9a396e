#!/usr/bin/env bash
# Where a function has a kink, JAX and PyTorch take different derivatives, and jnp.clip and
# lax.clamp do not agree either; black-and-white images and zero perturbations lie exactly there.
#
# Versions: jax 0.10.2, torch 2.13.0, foolbox 3.3.4.
# Run: 2026-11-28, Python 3.11, CPU. Derivatives (JAX, PyTorch):
#   clip to [0, 1] at 0: 0.5, 1; lax.clamp: 0          absolute value at 0: 1, 0
#   leaky ReLU at 0: 1, 0.01                           hard tanh at 1: 1, 0
#   l2 norm at 0: NaN, 0                               standard deviation of equal values: NaN, 0
#   max along an axis of four equal values: 0.25 each; 1 for the first
#   FGSM by foolbox, 0/1 images, a network that clips its input: jnp.clip 0.94, lax.clamp 0.00
# Instead: leave clipping to the attack or write its derivative (custom_jvp); start penalised
# perturbations off 0, or use a norm with its own derivative there (optax.safe_norm).

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 torch==2.13.0 foolbox==3.3.4 \
    eagerpy==0.30.0
"$work/venv/bin/python" - <<'EOF'
import foolbox
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F

zeros, ones = np.zeros(4, np.float32), np.ones(4, np.float32)
cases = {  # name: (where, JAX, PyTorch), sums so that one derivative a component comes back
    "clip to [0, 1]": (zeros, lambda x: jnp.clip(x, 0, 1).sum(), lambda x: x.clamp(0, 1).sum()),
    "lax.clamp": (zeros, lambda x: jax.lax.clamp(0.0, x, 1.0).sum(), lambda x: x.clamp(0, 1).sum()),
    "absolute value": (zeros, lambda x: jnp.abs(x).sum(), lambda x: x.abs().sum()),
    "leaky ReLU": (zeros, lambda x: jax.nn.leaky_relu(x).sum(), lambda x: F.leaky_relu(x).sum()),
    "hard tanh": (ones, lambda x: jax.nn.hard_tanh(x).sum(), lambda x: F.hardtanh(x).sum()),
    "l2 norm": (zeros, jnp.linalg.norm, torch.linalg.vector_norm),
    "standard deviation": (ones, jnp.std, lambda x: x.std(correction=0)),
    "max along an axis": (ones, lambda x: x.max(0), lambda x: x.max(0).values),
}
seen = {}
for name, (at, in_jax, in_torch) in cases.items():
    x = torch.tensor(at, requires_grad=True)
    in_torch(x).backward()
    seen[name] = np.asarray(jax.grad(in_jax)(at)).tolist(), np.round(x.grad.numpy(), 4).tolist()
    print(f"{name:19} at {at[0]:.0f}: JAX {seen[name][0]}  PyTorch {seen[name][1]}")

# What it does to an attack: black-and-white images, a linear network that clips its input first.
rng = np.random.default_rng(0)
weight = rng.standard_normal((3, 16)).astype(np.float32)
images = jnp.asarray(rng.random((50, 16)) < 0.5, jnp.float32)
fgsm = foolbox.attacks.LinfFastGradientAttack(random_start=False)
fooled = {}
for name, clip in {
    "jnp.clip": lambda x: jnp.clip(x, 0, 1),
    "lax.clamp": lambda x: jax.lax.clamp(0.0, x, 1.0),
}.items():

    def net(x, clip=clip):
        return (clip(x) - 0.5) @ weight.T

    model = foolbox.JAXModel(net, bounds=(0, 1))
    fooled[name] = float(fgsm(model, images, net(images).argmax(1), epsilons=0.3)[2].mean())
    print(f"FGSM through {name}: fooled {fooled[name]:.2f}")

nan = np.full(4, np.nan)
expected = {
    "clip to [0, 1]": (ones / 2, ones), "lax.clamp": (zeros, ones), "absolute value": (ones, zeros),
    "leaky ReLU": (ones, 0.01 * ones), "hard tanh": (ones, zeros), "l2 norm": (nan, zeros),
    "standard deviation": (nan, zeros), "max along an axis": (ones / 4, np.eye(4)[0]),
}  # fmt: skip
same = all(np.allclose(seen[name], expected[name], equal_nan=True) for name in cases)
if not (same and fooled["jnp.clip"] > 0.5 and fooled["lax.clamp"] == 0):
    raise SystemExit("changed")
EOF
