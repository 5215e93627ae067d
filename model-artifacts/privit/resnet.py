"""The other CNNs that teach, on small images: ResNet-20 to -56 for 32 x 32 pixels (He et al., CVPR 2016, arXiv 1512.03385, section 4.2, with
option A's shortcuts), whose last features lie on the same 8 x 8 grid as a ViT's patches of 4 pixels.

Names of weights are those of akamaster/pytorch_resnet_cifar10 (BSD-2-Clause), whose trained networks `load` reads; none is part of this
package.
"""
from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .teaching import TeachingCnn

_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut, which drops every other pixel and pads channels with zeros where the shape changes."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.stride = 1 if channels == channels_in else 2
        self.padding = (channels - channels_in) // 2
        self.conv1 = nn.Conv2d(channels_in, channels, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding)) if self.stride == 2 else x
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNetBody(nn.Module):
    """(B, 3, 32, 32) -> (B, 64, 8, 8); `linear` classifies the mean."""

    def __init__(self, blocks: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)

        def layer(before: int, width: int) -> nn.Sequential:
            return nn.Sequential(BasicBlock(before, width), *(BasicBlock(width, width) for _ in range(blocks - 1)))

        self.layer1, self.layer2, self.layer3 = layer(16, 16), layer(16, 32), layer(32, 64)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x)))


class CifarResNet(TeachingCnn):
    """A ResNet for images of 32 x 32 pixels."""

    token_channels = 64
    pooled_channels = 64

    def __init__(self, blocks: int = 9, classes: int = 10) -> None:
        """6 * blocks + 2 layers: ResNet-56, unless told otherwise."""
        super().__init__(ResNetBody(blocks, classes))

    @property
    def head(self) -> nn.Linear:
        return self.net.linear

    def load(self, path: Path) -> None:
        """A trained network: `torch.save`d state dict, by itself or under `state_dict`."""
        state = torch.load(path, map_location='cpu', weights_only=True)
        state = state.get('state_dict', state)
        self.net.load_state_dict({key.removeprefix('module.'): value for key, value in state.items()})

    def prepare(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _STD))
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both are the last features (B, 64, 8, 8), which lie where a ViT's patches of 4 pixels do."""
        x = self.net(x)
        return x, x
