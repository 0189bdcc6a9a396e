"""Training steps of the papers' pairs: one Adam step on `joined losses + strength · L_R`."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.reference_torch.correlation import correlation_loss

Loss = Callable[[Tensor, Tensor], Tensor]


def root_sum_square(first: Tensor, second: Tensor) -> Tensor:
    """The published code's join of two losses."""
    return torch.sqrt(first**2 + second**2)


def pair_loss(networks: nn.ModuleList, strength: float) -> Loss:
    """Cross-entropies of two classifiers and the correlation of their features."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        (logits1, z1), (logits2, z2) = (network(x) for network in networks)
        joined = root_sum_square(F.cross_entropy(logits1, y), F.cross_entropy(logits2, y))
        return joined + strength * correlation_loss(z1, z2) if strength else joined

    return loss


def autoencoder_loss(dna: nn.Module, strength: float) -> Loss:
    """Reconstruction errors of both pathways and the correlation of their bottlenecks."""

    def loss(x: Tensor, _: Tensor) -> Tensor:
        (image1, z1), (image2, z2) = dna(x)
        joined = root_sum_square(F.mse_loss(image1, x), F.mse_loss(image2, x))
        return joined + strength * correlation_loss(z1, z2) if strength else joined

    return loss


def train(
    loss: Loss, optimizer: torch.optim.Optimizer, batches: Iterable[tuple[Tensor, Tensor]]
) -> None:
    """One step a batch."""
    for x, y in batches:
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
