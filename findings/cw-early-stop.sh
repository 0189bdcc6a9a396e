#!/usr/bin/env bash
# The early stop of Carlini & Wagner in foolbox and torchattacks looks at the loss summed over the
# batch, so what is found for an image depends on the images beside it.
#
# Versions: foolbox 3.3.4, torchattacks 3.5.1, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. 16 images together and one at a time, 100 steps:
#   foolbox                     0.88 of the images differ, l2 by up to a factor of 1.49
#   foolbox, abort_early=False  none differs, and the mean l2 is smaller (0.159 in place of 0.167)
#   torchattacks, lr=0.1        0.50 of the images differ, l2 by up to a factor of 2.15
# Instead: abort_early=False in foolbox; torchattacks has no such option: one image at a time, or
# state the batch size with the distances.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CUDA_VISIBLE_DEVICES='' JAX_PLATFORMS=cpu OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1 tqdm==4.70.1 \
    foolbox==3.3.4 eagerpy==0.30.0
# Its requirements, torchvision and an old requests, are not used here.
"$work/venv/bin/pip" install --quiet --no-deps torchattacks==3.5.1
"$work/venv/bin/python" - <<'EOF'
import foolbox
import torch
import torchattacks

torch.manual_seed(0)
images = 0.1 + 0.8 * torch.rand(16, 1, 8, 8)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4, 64))

    def forward(self, x):
        return 3 * torch.tanh((x - 0.5).flatten(1) @ self.weight.T)


net = Net().eval()
labels = net(images).argmax(1)
fmodel = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")


def by_foolbox(abort_early):
    attack = foolbox.attacks.L2CarliniWagnerAttack(
        steps=100, binary_search_steps=3, initial_const=1.0, abort_early=abort_early
    )
    return lambda x, y: attack(fmodel, x, y, epsilons=None)[0]


seen = {}
for name, craft in {
    "foolbox": by_foolbox(True),
    "foolbox, abort_early=False": by_foolbox(False),
    "torchattacks, lr=0.1": torchattacks.CW(net, c=1, steps=100, lr=0.1),
}.items():
    together = craft(images, labels)
    alone = torch.cat([craft(images[i : i + 1], labels[i : i + 1]) for i in range(len(images))])
    differ = ((together - alone).flatten(1).abs().amax(1) > 1e-3).float().mean().item()
    far, near = ((x - images).flatten(1).norm(dim=1) for x in (together, alone))
    ratio = torch.maximum(far / near, near / far).max().item()
    seen[name] = differ, ratio
    print(
        f"{name:27} images that differ {differ:.2f}"
        f"  mean l2 together {far.mean():.3f}, alone {near.mean():.3f}"
        f"  at most by a factor of {ratio:.2f}"
    )

coupled = all(
    seen[name][0] > 0.3 and seen[name][1] > 1.3 for name in ("foolbox", "torchattacks, lr=0.1")
)
if not (coupled and seen["foolbox, abort_early=False"][0] == 0):
    raise SystemExit("changed")
EOF
