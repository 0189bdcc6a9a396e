"""The CIFAR-10 autoencoder and classifier, state dicts named as in the published weights."""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Pre-activation residual block."""

    def __init__(self, channels: int, features: int):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(features)
        self.c1 = nn.Conv2d(channels, features, 3, padding=1)
        self.c2 = nn.Conv2d(features, features, 3, padding=1)
        self.id = nn.Identity() if channels == features else nn.Conv2d(channels, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.c1(torch.relu(self.bn1(x)))
        return self.c2(torch.relu(self.bn2(inner))) + self.id(x)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1, self.b2, self.pool = Block(3, 16), Block(16, 32), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.b2(self.pool(self.b1(x))))


class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.b0, self.b1 = Block(32, 32), Block(32, 7)
        self.b2, self.b3 = Block(7, 32), Block(32, 32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.b1(self.b0(x))
        return self.b3(self.b2(features)), features.flatten(1)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.u1, self.u2 = nn.ConvTranspose2d(32, 32, 2, 2), nn.ConvTranspose2d(16, 16, 2, 2)
        self.b1, self.b2 = Block(32, 16), Block(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.b2(self.u2(self.b1(self.u1(x)))))


class ResidualDNA(nn.Module):
    """`[B, 3, H, W]` in [0, 1] to one `(reconstruction, features)` a neck, likewise in [0, 1]."""

    def __init__(self, necks: tuple[str, ...] = ("bn1", "bn2")):
        super().__init__()
        self.enc, self.dec, self.names = Encoder(), Decoder(), necks
        for name in necks:
            self.add_module(name, Bottleneck())

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        encoded = self.enc(2 * x - 1)
        necks = [getattr(self, name)(encoded) for name in self.names]
        return [((self.dec(decoded) + 1) / 2, features) for decoded, features in necks]


class ResidualClassifier(nn.Module):
    """`[B, 3, H, W]` in [0, 1] to logits `[B, 10]`."""

    def __init__(self, side: int = 32):
        super().__init__()
        self.c1, self.pool = nn.Conv2d(3, 64, 3, padding=1), nn.MaxPool2d(2)
        self.r1, self.r2, self.r3 = Block(64, 128), Block(128, 256), Block(256, 512)
        last = (nn.MaxPool2d(side // 8), nn.Flatten(start_dim=1), nn.Linear(512, 10))
        self.classifier = nn.Sequential(*last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.c1(2 * x - 1)))
        x = self.pool(self.r2(self.pool(self.r1(x))))
        return self.classifier(self.r3(x))
