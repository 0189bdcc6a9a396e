#!/usr/bin/env bash
# The gradient of jnp.linalg.lstsq is NaN for orthonormal columns and for zero columns, where the
# solution and PyTorch's gradient are plain numbers; that of jnp.linalg.pinv is right.
#
# Defences that decorrelate or project features meet both: columns made orthonormal, features dead.
# Versions: jax 0.10.2, torch 2.13.0 for comparison.
# Run: 2026-11-28, Python 3.11, CPU. 4 x 2 matrices, gradient of the squared solution's sum:
#   generic columns                                   all four ways alike
#   orthonormal columns, a zero column, two of them   jnp lstsq NaN in each component;
#                                                     jnp pinv, torch lstsq, torch pinv alike
# Instead: jnp.linalg.pinv(a) @ b.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 torch==2.13.0
"$work/venv/bin/python" - <<'EOF'
import jax
import jax.numpy as jnp
import numpy as np
import torch

target = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
rng = np.random.default_rng(0)
matrices = {
    "generic columns": rng.standard_normal((4, 2)).astype(np.float32),
    "orthonormal columns": np.eye(4, 2, dtype=np.float32),
    "a zero column": np.array([[1, 0], [1, 0], [0, 0], [0, 0]], np.float32),
    "two zero columns": np.zeros((4, 2), np.float32),
}


def jax_gradient(solve, a):
    return np.asarray(jax.grad(lambda a: (solve(a) ** 2).sum())(a))


def torch_gradient(solve, a):
    a = torch.tensor(a, requires_grad=True)
    (solve(a) ** 2).sum().backward()
    return a.grad.numpy()


ways = {
    "jnp lstsq": lambda a: jax_gradient(lambda a: jnp.linalg.lstsq(a, target)[0], a),
    "jnp pinv": lambda a: jax_gradient(lambda a: jnp.linalg.pinv(a) @ target, a),
    "torch lstsq": lambda a: torch_gradient(
        lambda a: torch.linalg.lstsq(a, torch.tensor(target)[:, None]).solution, a
    ),
    "torch pinv": lambda a: torch_gradient(
        lambda a: torch.linalg.pinv(a) @ torch.tensor(target), a
    ),
}
as_told = True
for kind, a in matrices.items():
    gradients = {way: gradient(a).ravel() for way, gradient in ways.items()}
    print(kind)
    for way, gradient in gradients.items():
        print(f"  {way:12}", *(f"{value:7.2f}" for value in gradient))
    right = gradients.pop("torch pinv")
    odd = gradients.pop("jnp lstsq")
    as_told &= all(np.allclose(other, right, atol=1e-2) for other in gradients.values())
    as_told &= (
        np.allclose(odd, right, atol=1e-2) if kind == "generic columns" else np.isnan(odd).all()
    )

if not as_told:
    raise SystemExit("changed")
EOF
