#!/usr/bin/env bash
# Carlini & Wagner's l2 attack hardly moves pixels that are exactly black or white: the change of
# variables starts them where tanh is flat, torchattacks' at infinity, where they stay for ever.
#
# Versions: torchattacks 3.5.1, foolbox 3.3.4, adversarial-robustness-toolbox 1.20.1, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. 16 random images of 0 and 1, a linear network, 100 steps of
# 0.01, constant 1 (three binary searches in foolbox and ART); grey: 0.05 and 0.95, not 0 and 1.
#   foolbox       black and white fooled 0.62, mean l2 5.62    grey 1.00, 0.24
#   ART           black and white fooled 0.12                  grey 1.00
#   torchattacks  black and white fooled 0.00, also with 500 steps; grey 0.75
# Instead: start the attack a little inside the bounds (0.02 and 0.98 sufficed here), or use one
# without the change of variables; doubt C&W distances on images with many black or white pixels.

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
import torch
import torchattacks
from art.attacks.evasion import CarliniL2Method
from art.estimators.classification import PyTorchClassifier

torch.manual_seed(0)
black_white = (torch.rand(16, 1, 8, 8) < 0.5).float()
grey = 0.05 + 0.9 * black_white


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(0.4 * torch.randn(3, 64))

    def forward(self, x):
        return (x - 0.5).flatten(1) @ self.weight.T


net = Net().eval()
labels = net(black_white).argmax(
    1
)  # the same for the grey images: the network is linear and centred
fmodel = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
classifier = PyTorchClassifier(
    net, torch.nn.CrossEntropyLoss(), (1, 8, 8), 3, clip_values=(0, 1), device_type="cpu"
)
search = {"binary_search_steps": 3, "initial_const": 1.0}


def by_foolbox(x):
    attack = foolbox.attacks.L2CarliniWagnerAttack(steps=100, stepsize=0.01, **search)
    return attack(fmodel, x, labels, epsilons=None)[0]


def by_art(x):
    attack = CarliniL2Method(
        classifier, max_iter=100, learning_rate=0.01, batch_size=16, verbose=False, **search
    )
    return torch.tensor(attack.generate(x.numpy(), y=labels.numpy()))


def by_torchattacks(steps):
    return lambda x: torchattacks.CW(net, c=1, steps=steps, lr=0.01)(x, labels)


seen = {}
for name, craft in {
    "foolbox": by_foolbox,
    "ART": by_art,
    "torchattacks": by_torchattacks(100),
    "torchattacks, 500 steps": by_torchattacks(500),
}.items():
    for kind, images in {"black and white": black_white, "grey": grey}.items():
        adversarial = craft(images)
        fooled = (net(adversarial).argmax(1) != labels).float().mean().item()
        distance = (adversarial - images).flatten(1).norm(dim=1).mean().item()
        seen[name, kind] = fooled, distance
        print(f"{name:24} {kind:15} fooled {fooled:.2f}  mean l2 {distance:.2f}")

stuck = all(
    seen[name, "black and white"] == (0, 0) for name in ("torchattacks", "torchattacks, 500 steps")
)
far = seen["foolbox", "black and white"][1] > 5 * seen["foolbox", "grey"][1]
weak = seen["ART", "black and white"][0] < 0.5 and seen["ART", "grey"][0] > 0.9
if not (stuck and far and weak and seen["torchattacks", "grey"][0] > 0.3):
    raise SystemExit("changed")
EOF
