"""The two MNIST classifiers in PyTorch, their state dicts named as in the published weights."""

import torch.nn.functional as F
from torch import Tensor, nn


class CNN(nn.Module):
    """`[B, 1, 28, 28]` to `(logits [B, 10], features [B, 784])`."""

    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.c1 = nn.Conv2d(1, 8, 3, padding=1)
        self.c2 = nn.Conv2d(8, 16, 3, padding=1)
        self.c3 = nn.Conv2d(16, 32, 3, padding=1)
        self.l = nn.Linear(32, num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        pooled = F.relu(self.c3(x)).mean(dim=(2, 3))
        return self.l(pooled), x.flatten(1)


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.BatchNorm1d(outputs))


class FC(nn.Module):
    """`[B, 1, 28, 28]` to `(logits [B, 10], features [B, 200])`."""

    def __init__(self, num_classes: int = 10):
        super().__init__()
        self.l1, self.l2 = block(784, 500), block(500, 500)
        self.l3, self.l4 = block(500, 200), block(200, 200)
        self.l5, self.l6 = block(200, 100), nn.Linear(100, num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.l4(self.l3(self.l2(self.l1(x.flatten(1)))))
        return self.l6(self.l5(features)), features
