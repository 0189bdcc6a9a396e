#!/usr/bin/env bash
# One pixel with a NaN gradient makes foolbox return NaN images and count them as fooled, on JAX
# for every attack tried, on PyTorch for l2: sign(NaN) is NaN in JAX and 0 in PyTorch.
#
# The usual sRGB curve written with `where` has such a gradient at black, though images and logits
# are finite: the branch not taken contributes 0 * inf.
# Versions: foolbox 3.3.4, jax 0.10.2, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. 50 images with one black pixel each, the same network, eps 0.1:
#             PyTorch: with NaN  "fooled"    JAX: with NaN  "fooled"
#   FGSM                   0.00      0.58             1.00      0.92
#   PGD linf               0.00      0.16             1.00      0.92
#   FGM l2                 1.00      0.92             1.00      0.92
# 0.92 is the share of labels other than 0: a NaN row's argmax is 0.
# Instead: raise x to at least 0.0031308 before the power, so that no branch divides by 0, and test
# adversarial images for NaN before counting.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6 torch==2.13.0 foolbox==3.3.4 \
    eagerpy==0.30.0
"$work/venv/bin/python" - <<'EOF'
import foolbox
import jax.numpy as jnp
import numpy as np
import torch

rng = np.random.default_rng(0)
weight = rng.standard_normal((3, 16)).astype(np.float32)
images = (0.01 + 0.99 * rng.random((50, 1, 4, 4))).astype(np.float32)
images[np.arange(50), 0, rng.integers(0, 4, 50), rng.integers(0, 4, 50)] = 0  # one black pixel each


class TorchNet(torch.nn.Module):
    def forward(self, x):
        srgb = torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
        return (srgb - 0.5).flatten(1) @ torch.tensor(weight).T


def jax_net(x):
    srgb = jnp.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return (srgb - 0.5).reshape(len(x), -1) @ weight.T


labels = np.asarray(jax_net(images)).argmax(1)
assert np.isfinite(np.asarray(jax_net(images))).all()
sides = {
    "PyTorch": (foolbox.PyTorchModel(TorchNet().eval(), bounds=(0, 1), device="cpu"), torch.tensor),
    "JAX": (foolbox.JAXModel(jax_net, bounds=(0, 1)), jnp.asarray),
}
attacks = {
    "FGSM": foolbox.attacks.LinfFastGradientAttack(random_start=False),
    "PGD linf": foolbox.attacks.LinfPGD(random_start=False, steps=5),
    "FGM l2": foolbox.attacks.L2FastGradientAttack(),
}
print(f"share of images whose label is not 0: {(labels != 0).mean():.2f}")
seen = {}
for attack_name, attack in attacks.items():
    for side, (model, array) in sides.items():
        _, adversarial, success = attack(model, array(images), array(labels), epsilons=0.1)
        with_nan = np.isnan(np.asarray(adversarial)).any(axis=(1, 2, 3)).mean()
        success = np.asarray(success).mean()
        seen[attack_name, side] = with_nan, success
        print(
            f"{attack_name:9} {side:8} images with NaN {with_nan:.2f}"
            f"  counted as fooled {success:.2f}"
        )

ruined = (1.0, (labels != 0).mean())
poisoned = [("FGSM", "JAX"), ("PGD linf", "JAX"), ("FGM l2", "JAX"), ("FGM l2", "PyTorch")]
sound = [("FGSM", "PyTorch"), ("PGD linf", "PyTorch")]
if not (
    all(np.allclose(seen[key], ruined) for key in poisoned)
    and all(seen[key][0] == 0 for key in sound)
):
    raise SystemExit("changed")
EOF
