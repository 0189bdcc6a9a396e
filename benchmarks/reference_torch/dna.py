"""The MNIST dual-neck autoencoder and its classifier, named as in the published weights."""

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 128), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.enc(x.flatten(1))


class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.L1, self.L2 = nn.Linear(128, 64), nn.Linear(64, 128)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.relu(self.L1(x))
        return torch.relu(self.L2(features)), features


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.dec = nn.Sequential(nn.Linear(128, 100), nn.ReLU(), nn.Linear(100, 784), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.dec(x).view(-1, 1, 28, 28)


class DNA(nn.Module):
    """`[B, 1, 28, 28]` to one `(reconstruction [B, 1, 28, 28], features [B, 64])` a neck."""

    def __init__(self):
        super().__init__()
        self.enc, self.dec = Encoder(), Decoder()
        self.bn1, self.bn2 = Bottleneck(), Bottleneck()

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        encoded = self.enc(x)
        necks = [neck(encoded) for neck in (self.bn1, self.bn2)]
        return [(self.dec(decoded), features) for decoded, features in necks]


class Classifier(nn.Module):
    """`[B, 1, 28, 28]` to logits `[B, 10]`."""

    def __init__(self):
        super().__init__()
        layers: list[nn.Module] = []
        for channels, features in ((1, 8), (8, 16), (16, 32)):
            layers += [nn.Conv2d(channels, features, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.c = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.c(x)
