#!/usr/bin/env bash
# Whether cross-entropy attacks fool a sure network depends on how it writes its two logits: with
# [0, s] the gradient for class 1 is exactly 0 where it leads by more than about 17; with
# [-s/2, s/2], the same probabilities, it is not.
#
# In float32 softmax - 1 rounds to 0 for the true class; what remains of the gradient is the other
# class's share, which [0, s] does not let through to the image.
# Versions: foolbox 3.3.4, torchattacks 3.5.1, adversarial-robustness-toolbox 1.20.1, torch 2.13.0.
# Run: 2026-11-28, Python 3.11, CPU. 200 images, linear log odds s, eps 0.1, fooled:
#   [-s/2, s/2]  1.00 by FGSM of all three, by PGD-10 and by APGD-CE of torchattacks
#   [0, s]       0.73 by FGSM of all three, 0.71 by PGD-10, 0.66 by APGD-CE
# Instead: ascend the difference of the logits, and count the images whose gradient is 0.

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
from art.attacks.evasion import FastGradientMethod
from art.estimators.classification import PyTorchClassifier

torch.manual_seed(0)
images = 0.2 + 0.6 * torch.rand(200, 1, 8, 8)
direction = 20 * torch.randn(64)
eps = 0.1


class Net(torch.nn.Module):
    """Two classes, the log odds of a linear function: only their spelling as two logits differs."""

    def __init__(self, coefficients):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(coefficients)[:, None] * direction)

    def forward(self, x):
        return (x - 0.5).flatten(1) @ self.weight.T


seen = {}
for name, coefficients in {"[-s/2, s/2]": (-0.5, 0.5), "[0, s]": (0.0, 1.0)}.items():
    net = Net(coefficients).eval()
    logits = net(images)
    labels = logits.argmax(1)
    sure = ((logits[:, 1] - logits[:, 0]).abs() > 17).float().mean()
    print(f"{name}: share ahead by more than 17: {sure:.2f}")
    fmodel = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    art = PyTorchClassifier(
        net, torch.nn.CrossEntropyLoss(), (1, 8, 8), 2, clip_values=(0, 1), device_type="cpu"
    )
    fgsm = foolbox.attacks.LinfFastGradientAttack(random_start=False)
    crafted = {
        "foolbox FGSM": fgsm(fmodel, images, labels, epsilons=eps)[1],
        "torchattacks FGSM": torchattacks.FGSM(net, eps=eps)(images, labels),
        "ART FGSM": torch.tensor(
            FastGradientMethod(art, eps=eps, batch_size=200).generate(
                images.numpy(), y=labels.numpy()
            )
        ),
        "torchattacks PGD-10": torchattacks.PGD(net, eps=eps, alpha=0.02, steps=10)(images, labels),
        "torchattacks APGD-CE": torchattacks.APGD(net, eps=eps, steps=10, loss="ce")(
            images, labels
        ),
    }
    for peer, adversarial in crafted.items():
        fooled = (net(adversarial).argmax(1) != labels).float()
        still = (adversarial == images).flatten(1).all(1).float().mean().item()
        seen[peer, name] = fooled.mean().item()
        print(
            f"  {peer:21} fooled {fooled.mean():.2f} (class 0 {fooled[labels == 0].mean():.2f},"
            f" class 1 {fooled[labels == 1].mean():.2f})  not moved at all {still:.2f}"
        )

if not all(
    fooled > 0.99 if name == "[-s/2, s/2]" else fooled < 0.85 for (_, name), fooled in seen.items()
):
    raise SystemExit("changed")
EOF
