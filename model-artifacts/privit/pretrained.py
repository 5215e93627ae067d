"""Networks trained elsewhere, on far more photographs: what `privit teacher` starts from, and what teaches (Dhyani et al., section 4, start so, too).

What it takes for a network to see other images, in another size, with other classes:

- its position embedding is resized, bicubic (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929, section 3.2);
- the difference between its normalisation of pixels and the image set's goes into the patch embedding, exactly;
- its classifier keeps the rows of the classes that it knows; where it does not know them, or is to read the mean of the tokens in place of
  the class token, a new one is fitted in closed form;
- keys lose their mean over some images. Softmax does not see it, and a square row x^2/n would see little else.
"""
from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from vit.data import IMAGENETTE_IMAGENET_INDICES, ImageSet, ImageSetInfo
from vit.imports import Imported
from vit.model import VisionTransformer, ViTConfig

from .evaluate import batches
from .teaching import TeachingCnn

IMAGENET_CLASSES = 1000
AT_ONCE = 64
"""Images of a forward pass."""

RIDGE = 0.1
"""Of the fitted classifier, whose inputs have about unit variance."""
LOGIT_SCALE = 8.0
"""What the fitted classifier's regression of one-hot labels is multiplied by: its logits are then as far apart as a trained network's."""


def pretrained_start(
    imported: Imported, images: ImageSet, img_size: int | None = None, mean_pool: bool = False, middle: bool = False, count: int = 512
) -> VisionTransformer:
    """The network for `images`, which are also what it is measured on: `count` of them for the keys, and for a classifier that must be fitted.

    img_size: pixels a side, a multiple of its patches; None: its own. mean_pool: without class token, the mean of the patches is classified.
    middle: see `resized`.
    Raises ImportProblem when the checkpoint does not say how it normalises.
    """
    info = images.info
    classes = None if mean_pool and imported.model.config.pool != 'mean' else classes_of(imported, info)
    model = resized(imported.model, img_size or imported.model.config.img_size, middle)
    fold_normalisation(model, pixel_values(imported, 'mean'), pixel_values(imported, 'std'), info)
    model = with_classes(model, classes, len(info.labels), mean_pool)
    chosen = images.subset(torch.randperm(len(images), generator=torch.Generator().manual_seed(3))[:count])
    shown = torch.cat(list(batches(chosen, model.config.img_size, AT_ONCE)))
    centre_keys(model, shown[:AT_ONCE])
    if classes is None:
        fit_classifier(model, shown, chosen.labels)
    return model


def pixel_values(imported: Imported, name: str) -> Tensor:
    """`mean` or `std` of the checkpoint's input, in 0..255 (3,). Raises ImportProblem when nobody said it."""
    return 255 * torch.tensor([float(value) for value in imported.facts.value(name)])


def classes_of(imported: Imported, info: ImageSetInfo) -> list[int] | None:
    """Which of the checkpoint's classes are the set's, by their names, or by ImageNet's order; None where it does not know them all. A
    checkpoint without names that has as many classes as the set is taken to have these."""
    known = [label.split(',')[0].strip().lower() for label in imported.labels or ()]
    wanted = [label.lower() for label in info.labels]
    if known and all(label in known for label in wanted):
        return [known.index(label) for label in wanted]
    count = imported.model.config.num_classes
    if count == IMAGENET_CLASSES and info.name == 'imagenette':
        return IMAGENETTE_IMAGENET_INDICES
    return [*range(count)] if not known and count == len(wanted) else None


def resize_positions(positions: Tensor, side: int) -> Tensor:
    """(1, old^2, C) -> (1, side^2, C): bicubic with antialiasing, as timm's `resample_abs_pos_embed` does it."""
    old = math.isqrt(positions.shape[1])
    if old == side:
        return positions
    grid = positions.unflatten(1, (old, old)).permute(0, 3, 1, 2)
    return F.interpolate(grid, size=(side, side), mode='bicubic', antialias=True, align_corners=False).flatten(2).transpose(1, 2)


def middle_positions(positions: Tensor, side: int) -> Tensor:
    """(1, old^2, C) -> (1, side^2, C): those in the middle of a larger grid, as they are. Raises ValueError for a smaller grid."""
    old = math.isqrt(positions.shape[1])
    if side > old:
        raise ValueError(f'middle_positions: expected at most {old} tokens a side, as there are, got {side}')
    first = (old - side) // 2
    grid = positions.unflatten(1, (old, old))
    return grid[:, first : first + side, first : first + side].flatten(1, 2)


def check_square(what: str, config: ViTConfig) -> None:
    """Raises ValueError for a network that does not see the square images that every training shows."""
    if config.width != config.img_size:
        raise ValueError(f'{what}: expected a network for square images, got one for {config.img_size} x {config.width}')


def resized(model: VisionTransformer, img_size: int, middle: bool = False) -> VisionTransformer:
    """The same weights for square images of another size. middle: it sees what the middle of the old grid saw, in place of all of it with other
    eyes: for a network that is trained little, that is better (LOG.md). Raises ValueError for constants of relative position and for tokens that are dropped, which are of one size."""
    if model.config.positional and img_size != model.config.img_size:
        raise ValueError(f'img_size: expected {model.config.img_size}, for whose offsets the relative positions are, got {img_size}')
    if model.config.kept_tokens and img_size != model.config.img_size:
        raise ValueError(f'img_size: expected {model.config.img_size}, of whose tokens the network keeps some, got {img_size}')
    check_square('start', model.config)
    if img_size < model.config.patch_size:
        raise ValueError(f'img_size: expected {model.config.patch_size} or more, one patch, got {img_size}')
    other = VisionTransformer(replace(model.config, img_size=img_size, img_width=None))
    side = img_size // model.config.patch_size
    fit = middle_positions if middle else resize_positions
    other.load_state_dict(model.state_dict() | {'pos_embed': fit(model.pos_embed.detach(), side)})
    return other


@torch.no_grad()
def fold_normalisation(model: VisionTransformer, mean: Tensor, std: Tensor, info: ImageSetInfo) -> None:
    """From here on the model expects images normalised as `info` says. (x - mean)/std = ((x - m)/s)·(s/std) + (m - mean)/std, in 0..255."""
    m, s = torch.tensor(info.mean), torch.tensor(info.std)
    conv = model.patch_embed.proj
    if conv.bias is None:
        raise TypeError('model: expected a patch embedding with a bias')
    conv.bias += (conv.weight.sum((2, 3)) * ((m - mean) / std)).sum(1)
    conv.weight *= (s / std).view(1, 3, 1, 1)


def with_classes(model: VisionTransformer, classes: list[int] | None, count: int, mean_pool: bool) -> VisionTransformer:
    """Another classifier: these rows of the old one, or one of `count` classes that is still to be fitted; mean_pool: no prefix tokens either."""
    old = model.config
    pool, prefix_tokens = ('mean', 0) if mean_pool else (old.pool, old.prefix_tokens)
    config = replace(old, num_classes=count, pool=pool, prefix_tokens=prefix_tokens)
    other = VisionTransformer(config)
    weights = model.state_dict()
    if mean_pool:
        weights.pop('prefix', None)
    if classes is None:
        weights |= {key: value for key, value in other.state_dict().items() if key.startswith('head.')}
    else:
        weights |= {f'head.{part}': weights[f'head.{part}'][classes] for part in ('weight', 'bias')}
    other.load_state_dict(weights)
    return other.eval()


@torch.no_grad()
def centre_keys(model: VisionTransformer, images: Tensor) -> None:
    """Every block's mean key, over tokens and images, goes out of the keys' bias: each row of scores moves by a number, and softmax stays as
    it is. images: normalised (B, 3, S, S)."""
    x = model.embed(images)
    C = x.shape[-1]
    for block in model.blocks:
        qkv = block.attn.qkv
        qkv.bias[C : 2 * C] -= F.linear(block.norm1(x), qkv.weight[C : 2 * C], qkv.bias[C : 2 * C]).mean((0, 1))
        x = block(x, None, None, '', None)


@torch.no_grad()
def fit_classifier(model: VisionTransformer, images: Tensor, labels: Tensor) -> None:
    """Ridge regression of the labels, in closed form, on what the classifier reads. images: normalised (B, 3, S, S); labels int64 (B,)."""
    read = torch.cat([model.pooled(model.features(part)) for part in images.split(AT_ONCE)])  # (B, C)
    mean = read.mean(0)
    centred = read - mean
    targets = F.one_hot(labels, model.config.num_classes).float() - 1 / model.config.num_classes
    gram = centred.T @ centred + RIDGE * len(centred) * torch.eye(centred.shape[1])
    weight = LOGIT_SCALE * torch.linalg.solve(gram, centred.T @ targets).T  # (classes, C)
    model.head.weight.copy_(weight)
    model.head.bias.copy_(-weight @ mean)


class TeachingViT(TeachingCnn):
    """An imported network, as it was trained, that teaches: its tokens' last features, what its classifier reads, and its logits."""

    compiles = False  # there is nothing to fold

    def __init__(self, imported: Imported, info: ImageSetInfo) -> None:
        """Raises ValueError unless it knows the classes of `info`."""
        classes = classes_of(imported, info)
        if classes is None:
            raise ValueError(f'{imported.origin}: it does not know the classes of {info.title}: fine-tune it first (privit teacher --start)')
        check_square(imported.origin, imported.model.config)
        super().__init__(with_classes(imported.model, classes, len(classes), False))
        self.mean, self.std = (pixel_values(imported, name).view(1, 3, 1, 1) for name in ('mean', 'std'))
        self.token_channels = self.pooled_channels = self.net.config.embed_dim
        self.img_size: int = self.net.config.img_size

    @property
    def head(self):
        return self.net.head

    def prepare(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        net = self.net
        tokens = net.features(x)  # (B, N, C)
        side = net.config.img_size // net.config.patch_size
        patches = net.fc_norm(tokens[:, net.config.prefix_tokens :])
        return patches.transpose(1, 2).unflatten(2, (side, side)), net.pooled(tokens)[:, :, None, None]
