#!/usr/bin/env bash
# torchattacks' CW is not indifferent to a constant added to all logits: where they are all
# negative, as from a log softmax, its loss is constant and it fools nothing.
#
# It masks the other classes by a product with 0 and then takes the maximum, so that 0 competes with
# the logits (reported as issue 184 of Harry24k/adversarial-attacks-pytorch).
# Versions: torchattacks 3.5.1, torch 2.13.0; foolbox 3.3.4 for comparison.
# Run: 2026-11-28, Python 3.11, CPU. The same linear network four times, 16 images, fooled:
#   logits 0.94, logits + 50 1.00, logits - 50 0.00, log softmax 0.00; foolbox 1.00 each time
# Instead: add a constant that makes all logits positive (say, minus their smallest), or use another
# implementation.

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
    def __init__(self, last):
        super().__init__()
        torch.manual_seed(1)
        self.weight = torch.nn.Parameter(torch.randn(4, 64))
        self.last = last

    def forward(self, x):
        return self.last((x - 0.5).flatten(1) @ self.weight.T)


seen = {}
for name, last in {
    "logits": lambda z: z,
    "logits + 50": lambda z: z + 50,
    "logits - 50": lambda z: z - 50,
    "log softmax": lambda z: torch.log_softmax(z, 1),
}.items():
    net = Net(last).eval()
    labels = net(images).argmax(1)
    crafted = {
        "torchattacks": torchattacks.CW(net, c=1, steps=100, lr=0.01)(images, labels),
        "foolbox": foolbox.attacks.L2CarliniWagnerAttack(
            steps=100, binary_search_steps=2, initial_const=1.0
        )(foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu"), images, labels, epsilons=None)[0],
    }
    for peer, adversarial in crafted.items():
        seen[peer, name] = (net(adversarial).argmax(1) != labels).float().mean().item()
    print(
        f"{name:12} fooled: torchattacks {seen['torchattacks', name]:.2f}"
        f"  foolbox {seen['foolbox', name]:.2f}"
    )

steady = all(fooled > 0.9 for (peer, _), fooled in seen.items() if peer == "foolbox")
useless = all(seen["torchattacks", name] == 0 for name in ("logits - 50", "log softmax"))
if not (steady and useless and seen["torchattacks", "logits + 50"] > 0.7):
    raise SystemExit("changed")
EOF
