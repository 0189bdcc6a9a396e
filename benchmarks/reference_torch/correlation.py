"""Wiedeman & Wang's correlation loss, eager, differentiated through the pseudo-inverse."""

import torch
from torch import Tensor


def kept_columns(z: Tensor, eta: float = 5e-4) -> Tensor:
    """Algorithm 1's independent columns `[D]`; the absolute value in the maximum is ours."""
    diagonal = torch.linalg.qr(z.detach(), mode="r").R.diagonal().abs()
    return diagonal > eta * diagonal.max()


def correlation_loss(z1: Tensor, z2: Tensor, eta: float = 5e-4, eps: float = 1e-3) -> Tensor:
    """`log SS_tot - log SS_res` of `z2 [N, D2]` regressed on the kept columns of `z1 [N, D1]`."""
    z1, z2 = z1.flatten(1), z2.flatten(1)
    kept = z1[:, kept_columns(z1, eta)]
    design = torch.cat([kept, kept.new_ones(len(kept), 1)], dim=1)
    residual = z2 - design @ (torch.linalg.pinv(design) @ z2)
    total = z2 - z2.mean(0)
    return torch.log(total.square().sum() + eps) - torch.log(residual.square().sum() + eps)
