"""LayerNorms whose scale becomes a constant: linear, so that the secure protocol has neither an opening nor a table for them.

1 / sqrt(variance + epsilon) is mixed with a constant of each channel, whose part grows from 0 to 1 in training, as in SLAB's progressive
re-parameterisation (Guo et al., ICML 2024, arXiv 2405.11582, section 3.1; there the other side is a batch norm, here a scale that begins at
its mean over data). Which norms: those that move the logits least when they are fixed alone.
"""
from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vit.data import ImageSet
from vit.model import FixedNorm, SwitchTensors, VisionTransformer

from . import augment
from .distill import distillation_loss
from .evaluate import logits_of
from .imitate import imitate

GROWS_UNTIL = 0.6
"""Part of the steps after which the constants are all there is."""
DATA = 256
"""Images over which a scale's mean is taken."""


class GatedNorm(nn.LayerNorm):
    """`gate` of LayerNorm's own scale and 1 - `gate` of a constant one, which is learned; shares γ and β with the norm that it replaces."""

    def __init__(self, norm: nn.LayerNorm, scale: float, gate: float = 1.0) -> None:
        super().__init__(norm.normalized_shape, eps=norm.eps)
        self.weight, self.bias, self.gate = norm.weight, norm.bias, gate
        self.scale = nn.Parameter(torch.full_like(norm.weight, scale))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        own = (centred.square().mean(-1, keepdim=True) + self.eps).rsqrt()
        return centred * (self.gate * own + (1 - self.gate) * self.scale) * self.weight + self.bias


def norms_of(model: VisionTransformer) -> Iterator[tuple[str, nn.LayerNorm]]:
    """Those of the blocks whose scale is not constant, by name."""
    for name in model.config.norms:
        if not isinstance(norm := model.get_submodule(name), FixedNorm):
            assert isinstance(norm, nn.LayerNorm)
            yield name, norm


@torch.no_grad()
def mean_scales(model: VisionTransformer, switches: SwitchTensors, images: ImageSet) -> dict[str, float]:
    """Mean over tokens and images of 1 / sqrt(variance + epsilon), of each norm by name."""
    found: dict[str, float] = {}

    def keep(name: str, norm: nn.LayerNorm, x: Tensor) -> None:
        found[name] = float((x.var(-1, unbiased=False) + norm.eps).rsqrt().mean())

    hooks = [
        norm.register_forward_hook(lambda module, inputs, _, name=name: keep(name, module, inputs[0])) for name, norm in norms_of(model)
    ]  # fmt: skip
    try:
        model(augment.normalise(augment.resize(images.images[:DATA], model.config.img_size), images.info), switches)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@torch.no_grad()
def effects(model: VisionTransformer, switches: SwitchTensors, images: ImageSet) -> dict[str, float]:
    """By how much the logits move (distillation loss) when a norm alone gets its mean scale, without training; by name."""
    whole, scales, moved = logits_of(model, switches, images), mean_scales(model, switches, images), {}
    for name, norm in list(norms_of(model)):
        model.set_submodule(name, GatedNorm(norm, scales[name], gate=0.0))
        moved[name] = float(distillation_loss(logits_of(model, switches, images), whole))
        model.set_submodule(name, norm)
    return moved


def fix_norms(
    model: VisionTransformer, switches: SwitchTensors, images: ImageSet, names: Sequence[str], steps: int, rate: float = 1e-4, batch_size: int = 64
) -> VisionTransformer:
    """The network with constant scales in the norms of these names, trained for so many steps towards what `model` says, which stays as it is.
    Raises ValueError for a name that is none of a norm with a scale of its own."""
    if unknown := set(names) - dict(norms_of(model)).keys():
        raise ValueError(f'norms: expected some of {[name for name, _ in norms_of(model)]}, got {sorted(unknown)}')
    before = copy.deepcopy(model).eval().requires_grad_(False)
    trained, scales = copy.deepcopy(model).eval(), mean_scales(model, switches, images)
    gated = {name: GatedNorm(norm, scales[name]) for name, norm in norms_of(trained) if name in names}
    for name, norm in gated.items():
        trained.set_submodule(name, norm)

    def mix(step: int) -> None:
        for norm in gated.values():
            norm.gate = max(0.0, 1 - step / (GROWS_UNTIL * steps))

    imitate(trained, before, switches, images, steps, rate=rate, batch_size=batch_size, each=mix)
    state = trained.state_dict()
    for name in gated:
        state[f'{name}.weight'] = state[f'{name}.weight'] * state.pop(f'{name}.scale')
    config = model.config
    fixed = VisionTransformer(replace(config, fixed_norms=tuple(name for name in config.norms if name in {*config.fixed_norms, *names})))
    fixed.load_state_dict(state)
    return fixed.eval()
