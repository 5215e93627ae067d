import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from vit.model import VisionTransformer, ViTConfig

TINY = ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4)


@pytest.fixture
def tiny_config() -> ViTConfig:
    return TINY


@pytest.fixture
def tiny_model() -> VisionTransformer:
    torch.manual_seed(1)
    model = VisionTransformer(TINY)
    for p in model.parameters():  # the usual 0.02 is so small that wrong arithmetic would hide in rounding
        p.data += 0.2 * torch.randn_like(p)
    return model.eval()


@pytest.fixture
def tiny_images() -> torch.Tensor:
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(2))
