"""Accuracy of a model with its switches on an image set."""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.data import ImageSet, shorter_side
from vit.model import Observer, SwitchTensors, VisionTransformer

from .augment import centre_crop, normalise, resize
from .distributed import start, total


def batches(images: ImageSet, img_size: int, batch_size: int = 250):
    """Normalised (B, 3, img_size, img_size) batches in order."""
    for first in range(0, len(images), batch_size):
        chunk = images.images[first : first + batch_size]
        yield normalise(centre_crop(resize(chunk, shorter_side(images.info, img_size)), img_size), images.info)


@torch.no_grad()
def logits_of(model: VisionTransformer, switches: SwitchTensors | None, images: ImageSet, observe: Observer | None = None) -> Tensor:
    """Logits (count, classes) on the CPU, without augmentation. observe: sees every tensor on the way, such as `ranges.RangeMaxima`."""
    device = model.pos_embed.device
    was_training = model.training
    model.eval()
    logits = [model(batch.to(device), switches, observe).cpu() for batch in batches(images, model.config.img_size)]
    model.train(was_training)
    return torch.cat(logits)


def top1(logits: Tensor, labels: Tensor) -> float:
    """The part of the images, a fraction of 1, whose largest logit is the label's."""
    return int((logits.argmax(dim=1) == labels).sum()) / len(labels)


def accuracy(model: VisionTransformer, switches: SwitchTensors | None, images: ImageSet) -> float:
    """Top-1, a fraction of 1, without augmentation."""
    return top1(logits_of(model, switches, images), images.labels)


def best_cross_entropy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """(cross-entropy in nats, temperature) at the temperature, of those from 1/8 to 8 in steps of 1 %, that makes it smallest.

    It tells models apart that know equally many of a few hundred images. Distillation and label smoothing change how sure a model is:
    hence the temperature, which its answers do not depend on (Guo et al., ICML 2017, arXiv 1706.04599).
    """
    temperatures = [1.01**step for step in range(-209, 210)]
    losses = [float(F.cross_entropy(logits / t, labels)) for t in temperatures]
    best = min(range(len(losses)), key=losses.__getitem__)
    return losses[best], temperatures[best]


def shared_accuracy(model: VisionTransformer, switches: SwitchTensors | None, images: ImageSet) -> float:
    """`accuracy`, of which each process of a torchrun computes its share; all get the result."""
    rank, world, _ = start()
    share = images.subset(torch.arange(rank, len(images), world))
    right = round(accuracy(model, switches, share) * len(share)) if len(share) else 0
    return total(right) / len(images)
