"""Accuracy of a model with its switches on an image set."""
from __future__ import annotations

import torch

from .augment import centre_crop, normalise, resize
from .data import ImageSet, shorter_side
from .distributed import start, total
from .vit import Observer, SwitchTensors, VisionTransformer


def batches(images: ImageSet, img_size: int, batch_size: int = 250):
    """Normalised (B, 3, img_size, img_size) batches in order, with their labels."""
    for first in range(0, len(images), batch_size):
        chunk = images.images[first : first + batch_size]
        yield normalise(centre_crop(resize(chunk, shorter_side(images.info, img_size)), img_size), images.info), images.labels[first : first + batch_size]


@torch.no_grad()
def accuracy(model: VisionTransformer, switches: SwitchTensors | None, images: ImageSet, observe: Observer | None = None) -> float:
    """Top-1, a fraction of 1, without augmentation. observe: sees every tensor on the way, such as `ranges.RangeMaxima`."""
    device = model.pos_embed.device
    was_training = model.training
    model.eval()
    right = 0
    for batch, labels in batches(images, model.config.img_size):
        right += int((model(batch.to(device), switches, observe).argmax(dim=1).cpu() == labels).sum())
    model.train(was_training)
    return right / len(images)


def shared_accuracy(model: VisionTransformer, switches: SwitchTensors | None, images: ImageSet) -> float:
    """`accuracy`, of which each process of a torchrun computes its share; all get the result."""
    rank, world, _ = start()
    share = images.subset(torch.arange(rank, len(images), world))
    right = round(accuracy(model, switches, share) * len(share)) if len(share) else 0
    return total(right) / len(images)
