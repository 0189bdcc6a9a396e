"""FGSM and PGD in the linf ball on images `[B, 1, H, W]` in [0, 1]; networks in eval mode."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Gradient = Callable[[nn.Module, Tensor, Tensor], Tensor]


def input_gradient(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Gradient of the summed cross-entropy for the images alone."""
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(network(x)[0], y, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def published_gradient(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The published style: `backward` of the mean loss, into the images and every weight."""
    x = x.detach().requires_grad_()
    network.zero_grad()
    F.cross_entropy(network(x)[0], y).backward()
    return x.grad


def pgd(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    step_size: float,
    steps: int = 40,
    batch: int = 1000,
    gradient: Gradient = input_gradient,
) -> Tensor:
    """PGD begun at the images; `steps=1` with `step_size=eps` is FGSM."""

    def attack(x: Tensor, y: Tensor) -> Tensor:
        x_adv = x
        for _ in range(steps):
            moved = x_adv + step_size * gradient(network, x_adv, y).sign()
            x_adv = (x + (moved - x).clamp(-eps, eps)).clamp(0, 1)
        return x_adv.detach()

    return torch.cat([attack(*chunk) for chunk in zip(x.split(batch), y.split(batch), strict=True)])
