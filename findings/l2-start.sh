#!/usr/bin/env bash
# Random starts in an l2 ball: torchattacks' PGDL2 draws the radius uniformly, foolbox and ART the
# point; for images of 3 x 32 x 32 the first starts half way, the others on the surface.
#
# Versions: torchattacks 3.5.1, foolbox 3.3.4, adversarial-robustness-toolbox 1.20.1, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. 300 starts (a constant network leaves them where they are),
# distance from the image in radii, quantiles 0.05, 0.5, 0.95:
#   torchattacks PGDL2  0.034 0.471 0.951
#   foolbox L2PGD       0.999 1.000 1.000
#   ART PGD, norm=2     0.999 1.000 1.000
# Instead: compare PGD-l2 between these without a random start, or with starts of one's own.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1 tqdm==4.70.1 \
    foolbox==3.3.4 eagerpy==0.30.0 adversarial-robustness-toolbox==1.20.1 scikit-learn==1.9.1 \
    packaging==26.4
# Its requirements, torchvision and an old requests, are not used here.
"$work/venv/bin/pip" install --quiet --no-deps torchattacks==3.5.1
"$work/venv/bin/python" - <<'EOF'
import foolbox
import numpy as np
import torch
import torchattacks
from art.attacks.evasion import ProjectedGradientDescent
from art.estimators.classification import PyTorchClassifier

torch.manual_seed(0)
np.random.seed(0)
images = torch.full((300, 3, 32, 32), 0.5)  # far from the bounds: nothing is clipped
labels = torch.zeros(300, dtype=torch.long)


class Constant(torch.nn.Module):
    """No gradient anywhere, so that the attacks return where they start."""

    def __init__(self):
        super().__init__()
        self.zero = torch.nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return x.flatten(1)[:, :2] * self.zero


net = Constant().eval()
art = PyTorchClassifier(
    net, torch.nn.CrossEntropyLoss(), (3, 32, 32), 2, clip_values=(0, 1), device_type="cpu"
)
starts = {
    "torchattacks PGDL2": torchattacks.PGDL2(net, eps=1.0, steps=1)(images, labels),
    "foolbox L2PGD": foolbox.attacks.L2PGD(steps=1)(
        foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu"), images, labels, epsilons=1.0
    )[1],
    "ART PGD, norm=2": torch.tensor(
        ProjectedGradientDescent(
            art,
            norm=2,
            eps=1.0,
            eps_step=0.1,
            max_iter=1,
            num_random_init=1,
            batch_size=300,
            verbose=False,
        ).generate(images.numpy(), y=labels.numpy())
    ),
}
quantiles = {}
print("distance of the start from the image, in radii: quantiles 0.05, 0.5, 0.95")
for name, start in starts.items():
    quantiles[name] = np.quantile(
        (start - images).flatten(1).norm(dim=1).numpy(), (0.05, 0.5, 0.95)
    )
    print(f"{name:19}", *quantiles[name].round(4))

near = quantiles.pop("torchattacks PGDL2")
if not (0.3 < near[1] < 0.7 and all(edge[0] > 0.99 for edge in quantiles.values())):
    raise SystemExit("changed")
EOF
