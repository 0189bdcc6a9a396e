#!/usr/bin/env bash
# Where the target's softmax underflows to 0, the KL divergence is right but its gradient towards
# the target is NaN, in Optax and in PyTorch: TRADES so written ends in NaN when the network is
# sure.
#
# TRADES lets gradients through both sides, the attacked and the clean (the targets).
# Versions: optax 0.2.8, jax 0.10.2, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. Clean logits [m, 0, 0], attacked [3, 1, 0]:
#   m = 20   all four ways: loss 0.1698, gradients finite and alike
#   m = 120  optax kl_divergence, torch kl_div: loss 0.1698, gradient NaN
#            kl_divergence_with_log_targets, kl_div with log_target=True: gradient 0
# Instead: give the targets as a log softmax, to the functions named last.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 optax==0.2.8 torch==2.13.0
"$work/venv/bin/python" - <<'EOF'
import jax
import numpy as np
import optax
import torch
import torch.nn.functional as F

attacked = np.array([3.0, 1.0, 0.0], np.float32)


def by_optax(clean):
    return optax.losses.kl_divergence(jax.nn.log_softmax(attacked), jax.nn.softmax(clean))


def by_optax_logs(clean):
    return optax.losses.kl_divergence_with_log_targets(
        jax.nn.log_softmax(attacked), jax.nn.log_softmax(clean)
    )


def by_torch(clean):
    return F.kl_div(
        torch.log_softmax(torch.tensor(attacked), 0), torch.softmax(clean, 0), reduction="sum"
    )


def by_torch_logs(clean):
    log_clean = torch.log_softmax(clean, 0)
    return F.kl_div(
        torch.log_softmax(torch.tensor(attacked), 0), log_clean, reduction="sum", log_target=True
    )


def torch_gradient(loss, clean):
    clean = torch.tensor(clean, requires_grad=True)
    value = loss(clean)
    value.backward()
    return value.item(), clean.grad.numpy()


def jax_gradient(loss, clean):
    value, gradient = jax.value_and_grad(loss)(clean)
    return float(value), np.asarray(gradient)


rows = {
    "optax kl_divergence": (jax_gradient, by_optax),
    "torch kl_div": (torch_gradient, by_torch),
    "optax kl_divergence_with_log_targets": (jax_gradient, by_optax_logs),
    "torch kl_div, log_target=True": (torch_gradient, by_torch_logs),
}
finite = {}
for name, (gradient_of, loss) in rows.items():
    for margin in (20.0, 120.0):
        value, gradient = gradient_of(loss, np.array([margin, 0.0, 0.0], np.float32))
        finite[name, margin] = np.isfinite(value), np.isfinite(gradient).all()
        print(f"{name:37} margin {margin:3.0f}  loss {value:.4f}  gradient {gradient}")

if any(ok != (True, margin == 20 or "log_target" in name) for (name, margin), ok in finite.items()):
    raise SystemExit("changed")
EOF
