"""A pretrained network's ranges narrowed, everything exact: what fixed point pays for is a table's domain, and few photographs need it.

Of ImageNet's ViT-Tiny a handful of tokens reach 583 in one channel, from one hidden unit ("massive activations": Sun et al., COLM 2024, arXiv
2402.17762; attention's resting place: Darcet et al., ICLR 2024, arXiv 2309.16588); scores reach 24 above their row's mean. Without them the
LayerNorms' tables are short, and softmax needs one squaring or none.

Fewer tokens may go on behind some blocks (`vit/kept_tokens.py`): that is learned by the same lesson.

The network learns to say of any photographs what it said before, with the penalty of `ranges.py` that grows from little to much: no labels,
no other teacher. The residual stream itself is not imitated, since that is what has to change. Images that no photograph looks like (`vit/ood.py`)
are held to the same ranges, whatever is said of them: a plan has to hold them too, and they reach furthest.
"""
from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit.data import ImageSet
from vit.model import VisionTransformer
from vit.ood import ood_images

from . import augment
from .batches import draw_seed, step_generator
from .distributed import autocast_dtype
from .ood import shifted
from .ranges import SCORE_LIMIT, RangePenalty

QUIET = 0.8
"""Part of a layer's rows that must be below SCORE_LIMIT as they are, for the layer to be held to it."""


@dataclass(frozen=True)
class NarrowOptions:
    steps: int = 1000
    batch_size: int = 32
    learning_rate: float = 5e-5
    first_weight: float = 1e-6
    last_weight: float = 1e-4
    """Of the range penalty: geometric from the one to the other over the first half of the steps."""
    score_weight: float = 1.0
    """Of attention's scores in it: at 10 softmax needs fewer squarings."""
    ood_images: int = 4
    """So many of vit/ood.py's, beside each batch."""
    ema_decay: float = 0.99
    min_crop_area: float = 0.25
    save_every: int = 25
    seed: int = 11


@dataclass(frozen=True)
class Photographs:
    """Images of any sets, shown alike. mean, std: of the network's input, in 0..255. size: pixels a side that the teacher sees."""

    sets: Sequence[ImageSet]
    mean: Tensor
    std: Tensor
    size: int
    min_area: float

    def normalised(self, images: Tensor) -> Tensor:
        return (images.float() - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """(count, 3, size, size), equally many of each set."""
        parts = []
        for i, images in enumerate(self.sets):
            n = count * (i + 1) // len(self.sets) - count * i // len(self.sets)
            chosen = images.images[torch.randint(len(images), (n,), generator=generator)]
            parts.append(augment.random_resized_crop_flip(chosen, self.size, self.min_area, generator))
        return self.normalised(torch.cat(parts))

    def ood(self, size: int) -> Tensor:
        """What no photograph looks like, (B, 3, size, size)."""
        return self.normalised(torch.from_numpy(ood_images(size)).permute(0, 3, 1, 2))

    def centres(self, count: int) -> Tensor:
        """The first `count` of each set, whole."""
        return torch.cat([self.normalised(augment.resize(images.images[:count], self.size)) for images in self.sets])


@torch.no_grad()
def score_limits(model: VisionTransformer, images: Tensor) -> dict[str, float]:
    """For each layer the limit that its scores are to keep, minus their row's mean: SCORE_LIMIT where QUIET of the rows keep it as they are, else
    twice that, which one squaring reaches. images: normalised."""
    found: dict[str, float] = {}

    def observe(name: str, value: Tensor) -> None:
        if name.endswith('.scores'):
            largest = float((value - value.mean(-1, keepdim=True)).amax(-1).flatten().quantile(QUIET))
            found[name] = SCORE_LIMIT if largest <= SCORE_LIMIT else 2 * SCORE_LIMIT

    model(images, None, observe)
    return found


@torch.no_grad()
def agreement(model: VisionTransformer, before: VisionTransformer, images: Tensor, at_once: int = 32) -> float:
    """Part of the images, of the size that `before` sees, of which both say the same label."""
    size = model.config.img_size
    same = [(model(augment.resize(part, size)).argmax(1) == before(part).argmax(1)) for part in images.split(at_once)]
    return float(torch.cat(same).float().mean())


def narrow(
    model: VisionTransformer,
    before: VisionTransformer,
    photographs: Photographs,
    held_out: Photographs,
    options: NarrowOptions,
    run_dir: Path,
    say: Callable[[str], object],
) -> VisionTransformer:
    """The moving average of the weights at the end. A run that was interrupted is taken up again from `run_dir`.

    before: the network as it was, with the same weights; where `model` drops tokens, with all of them; where it sees smaller images, in its own
    size.
    """
    o = options
    run_dir.mkdir(parents=True, exist_ok=True)
    before.requires_grad_(False).eval()
    model.eval()
    size = model.config.img_size
    kept, odd = held_out.centres(64), held_out.ood(size)
    limits = score_limits(before, kept[:64])
    seed = draw_seed(o.seed, model)
    average = copy.deepcopy(model).requires_grad_(False)
    dtype = autocast_dtype(torch.device('cpu'))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    state, first = run_dir / 'last.pt', 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved['model'])
        average.load_state_dict(saved['average'])
        optimizer.load_state_dict(saved['optimizer'])
        first = saved['step']
    say(json.dumps({'scoreLimits': {name.split('.')[1]: limit for name, limit in limits.items()}, 'firstStep': first}))
    sums, counted = torch.zeros(3), first
    for step in range(first, o.steps):
        generator = step_generator(seed, step)
        for group in optimizer.param_groups:
            group['lr'] = o.learning_rate * min(1, (step + 1) / 50) * (1 + math.cos(math.pi * step / o.steps)) / 2
        weight = o.first_weight * (o.last_weight / o.first_weight) ** min(1, 2 * step / o.steps)
        batch = photographs.draw(o.batch_size, generator)
        with torch.no_grad(), torch.autocast('cpu', dtype, enabled=dtype is not None):
            said = before(batch).float()
        penalty, of_odd = (RangePenalty(one_in, limits, o.score_weight, square_rows=False) for one_in in (4, 1))
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            says = model(augment.resize(batch, size), None, penalty).float()
            if o.ood_images:
                chosen = torch.randperm(len(odd), generator=generator)[: o.ood_images]
                model(shifted(odd[chosen], generator), None, of_odd)
        same = F.mse_loss(says, said)
        apart = F.kl_div(says.log_softmax(-1), said.log_softmax(-1), log_target=True, reduction='batchmean')
        optimizer.zero_grad()
        (same + apart + weight * (penalty.total + of_odd.total)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(o.ema_decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), model.parameters()):
                mean.lerp_(now, 1 - decay)
        sums += torch.stack([same.detach(), apart.detach(), torch.as_tensor(penalty.total).detach()])
        done = step + 1
        if done % o.save_every == 0 or done == o.steps:
            partial = state.with_suffix('.partial')
            torch.save({'model': model.state_dict(), 'average': average.state_dict(), 'optimizer': optimizer.state_dict(), 'step': done}, partial)
            os.replace(partial, state)
            mse, kl, excess = (sums / (done - counted)).tolist()
            line = {'step': done, 'mse': round(mse, 4), 'kl': round(kl, 4), 'excess': round(excess, 1), 'weight': f'{weight:.1e}'}
            if done % (4 * o.save_every) == 0 or done == o.steps:
                line['agreement'] = agreement(average, before, kept)
            say(json.dumps(line))
            sums.zero_()
            counted = done
    return average
