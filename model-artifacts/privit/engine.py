"""One training loop for every stage: batches from a step's own seed, AdamW, EMA, range penalty, checkpoints, one log line a round.

Everything random in step t is drawn from a generator seeded by (seed, t), and a checkpoint holds every tensor that changes, so a run
that was stopped and resumed follows the trajectory of one that was not.
"""
from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Generator, Tensor, nn

from vit.checkpoint import save_checkpoint
from vit.model import Observer, SwitchTensors, VisionTransformer

from .batches import Batch, BatchSource, draw_seed, step_generator
from .distill import distillation_loss, soft_cross_entropy
from .distributed import SharedMatrices, autocast_dtype, average_gradients, copy_from_first, start
from .features import FeatureRegressors
from .hidden import Streams, hidden_loss, teaching_blocks
from .muon import Float32Muon
from .ood import excess, shifted
from .options import check_at_least_one, option
from .ranges import RangePenalty
from .switches import Switches

OOD_AT_ONCE = 4
"""Odd images of a step, on each process."""

OPTIMIZERS = ['adamw', 'muon']


@dataclass
class TrainOptions:
    """Hyperparameters common to all stages. Learning rates are peaks; weights of the loss's terms multiply their means."""

    batch_size: int = option(128, 'images of a step, on each process')
    learning_rate: float = option(4e-4, 'peak')
    other_learning_rate: float = option(1.0, "with muon, of all that AdamW trains, as a part of --learning-rate: pretrained embeddings want less")
    weight_decay: float = option(0.05, 'of matrices, decoupled from the gradient')
    label_weight: float = option(1.0, 'weight of the cross-entropy on labels')
    distill_weight: float = option(1.0, "weight of the distillation of a teacher's logits, at temperature 4")
    feature_weight: float = option(1.0, "weight of the regression of a CNN's features (--views, --live)")
    hidden_weight: float = option(0.0, "weight of the distillation of an exact teacher's residual stream, block by block (hidden.py)")
    hidden_blocks: str = option('', "blocks of that teacher that the student has, such as 0,1,4,7, where it has fewer (command condense)")
    range_weight: float = option(1e-3, 'weight of the penalty on values that fixed point could not hold')
    score_weight: float = option(1.0, "of attention's scores in that penalty: at 10 they stay where exp needs no squaring (docs/online.md)")
    range_one_in: int = option(4, 'the range penalty looks at one image in this many')
    range_warmup: int = option(300, 'steps until the range penalty has its full weight: at once, it would wreck a warm start')
    ood_weight: float = option(0.0, 'weight of the penalties on what images that no photograph looks like, such as stripes, reach (ood.py)')
    max_grad_norm: float = option(1.0, "length to which the student's whole gradient is clipped")
    ema_decay: float = option(0.995, 'of the moving average of the weights, which is what is measured and saved')
    seed: int = option(0, 'of fresh weights, batches and augmentation')
    optimizer: str = option('adamw', "muon: orthogonalised momentum for the blocks' matrices, AdamW for everything else", OPTIMIZERS)
    token_window: int = option(0, 'side, in tokens, of the window of the image that steps before --window-steps see; 0: all of it')
    window_steps: int = option(0, 'steps that see windows')
    checkpoint_every: int = option(50, 'steps from one last.pt to the next')
    keep_last: int = option(0, 'moving averages that stay beside last.pt, one each time that it is written (ema-STEP.safetensors)')

    def __post_init__(self) -> None:
        check_at_least_one(self, 'batch_size', 'range_one_in', 'checkpoint_every')
        if self.keep_last < 0:
            raise ValueError(f'keep_last: expected at least 0, got {self.keep_last}')
        if self.hidden_weight and self.token_window:
            raise ValueError('hidden_weight: expected without token_window, as the teacher sees whole images')
        if bool(self.token_window) != bool(self.window_steps):
            raise ValueError(f'token_window and window_steps: expected both or neither, got {self.token_window} and {self.window_steps}')


def cosine(step: int, total: int, warmup: int = 0, floor: float = 0.0) -> float:
    """Learning-rate factor: linear warm-up, then half a cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


Network = TypeVar('Network', bound=nn.Module)


class Ema(Generic[Network]):
    """Exponential moving average of a model's weights, with the usual faster start."""

    def __init__(self, model: Network, decay: float) -> None:
        self.model: Network = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        mine: list[Tensor] = list(self.model.parameters())
        theirs: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    def restart(self, model: nn.Module) -> None:
        """Forget the past: from here on average this model."""
        self.model.load_state_dict(model.state_dict())
        self.updates = 0


class Trainer:
    """A student, its switches and optimizer, and the loss of PriViT's algorithm 1 plus the range penalty."""

    def __init__(
        self,
        student: VisionTransformer,
        source: BatchSource,
        options: TrainOptions,
        teacher: Callable[[Tensor], Tensor] | None = None,
        switches: Switches | None = None,
        switch_learning_rate: float = 0.01,
        regressors: FeatureRegressors | None = None,
        ood: Tensor | None = None,
    ) -> None:
        """teacher: normalised images -> logits (B, classes), used for batches that do not bring teacher logits themselves.
        switches: None trains the exact network. regressors: `FeatureRegressors`, needed if batches bring a CNN's features.
        ood: normalised images (B, 3, S, S) that `ood_weight` is for; None: none.
        """
        self.rank, self.world, self.device = start()
        self.student = student.to(self.device)
        self.switches = switches.to(self.device) if switches is not None else None
        self.teacher = teacher
        if options.token_window and student.config.kept_tokens:
            raise ValueError('token_window: expected without kept_tokens, which drop tokens of the whole image')
        if options.hidden_weight:
            self.taught_by = teaching_blocks(student.config, self._exact_teacher().config, options.hidden_blocks)
        self.source = source
        self.regressors = regressors.to(self.device) if regressors is not None else None
        self.ood = None if ood is None else ood.to(self.device)
        self.options = options
        self.dtype = autocast_dtype(self.device)
        self.optimizers = make_optimizers(student, self.regressors, self.switches, options, switch_learning_rate)
        muon = [o for o in self.optimizers if isinstance(o, torch.optim.Muon)]
        self.shared = [(o, SharedMatrices([p for g in o.param_groups for p in g['params']], self.rank, self.world)) for o in muon]
        for module in (self.student, self.switches, self.regressors):
            if module is not None:
                copy_from_first(module)  # steps are taken on averaged gradients: processes that start apart stay apart
        self.ema = Ema(student, options.ema_decay)
        self.draws = draw_seed(options.seed, self.student)
        self.step = 0

    @property
    def steps_per_epoch(self) -> int:
        return max(1, len(self.source) // (self.options.batch_size * self.world))

    def set_learning_rate(self, weights: float, switches: float = 1.0) -> None:
        """Factors of the peaks for weights and for switches."""
        for group in self._groups():
            group['lr'] = group['peak'] * (switches if group['of_switches'] else weights)

    def _groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def train_step(self, penalty: Callable[[], Tensor] | None = None) -> float:
        """One step of Adam on cross-entropy + distillation + penalties on ranges + `penalty()`; returns the loss without penalties."""
        o = self.options
        generator = step_generator(self.draws, self.step, self.rank)
        batch = self.source.batch(self.step, o.batch_size, generator, self.draws, self.rank, self.world).to(self.device)
        tokens = self._kept_tokens(generator)

        self.student.train()
        switch_tensors = self.switches.tensors() if self.switches is not None else None
        ranges = self._range_penalty(o.range_one_in) if o.range_weight else None
        streams = Streams() if o.hidden_weight else None
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            features = self.student.features(batch.images, switch_tensors, observed_by(ranges, streams), tokens, only_pooled=self.regressors is None)
            pooled = self.student.pooled(features)
            logits = self.student.head(pooled)
            hidden = self._hidden_loss(batch, streams, pooled) if streams is not None else None
            loss = self._loss(batch, features.float(), logits.float(), tokens)
        if hidden is not None:
            loss = loss + o.hidden_weight * hidden
        total = loss
        if ranges is not None:
            ramp = min(1.0, 0.02 + (self.step / max(1, o.range_warmup)) ** 2)
            total = total + o.range_weight * ramp * ranges.total
        if self.ood is not None:
            chosen = torch.randperm(len(self.ood), generator=generator)[:OOD_AT_ONCE]
            odd_ranges = self._range_penalty(1)
            beyond = excess(self.student, switch_tensors, shifted(self.ood[chosen], generator), observe=odd_ranges)
            # They may be beyond by orders of magnitude, which the photographs must not learn from: so the penalty's logarithm.
            total = total + o.ood_weight * (beyond + torch.log1p(o.range_weight * torch.as_tensor(odd_ranges.total)))
        if penalty is not None:
            total = total + penalty()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        average_gradients(p for group in self._groups() for p in group['params'])
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), o.max_grad_norm)
        for _, matrices in self.shared:
            matrices.keep_mine()
        for optimizer in self.optimizers:
            optimizer.step()
        for _, matrices in self.shared:
            matrices.exchange()
        if self.switches is not None:
            self.switches.project()
        self.ema.update(self.student)
        self.step += 1
        return float(loss.detach())

    def _range_penalty(self, one_in: int) -> RangePenalty:
        squares = self.switches is None or not torch.equal(self.switches.softmax, self.switches.softmax_computed)
        return RangePenalty(one_in, score_weight=self.options.score_weight, square_rows=squares)

    def _loss(self, batch: Batch, features: Tensor, logits: Tensor, tokens: Tensor | None) -> Tensor:
        """Cross-entropy on labels, distillation of logits, regression of the CNN's features."""
        o = self.options
        loss = o.label_weight * soft_cross_entropy(logits, batch.targets)
        teacher_logits = batch.teacher_logits
        if teacher_logits is None and self.teacher is not None and o.distill_weight:
            with torch.no_grad():
                teacher_logits = self.teacher(batch.images).float()
        if teacher_logits is not None and o.distill_weight:
            loss = loss + o.distill_weight * distillation_loss(logits, teacher_logits)
        if batch.cnn_tokens is not None and batch.cnn_pooled is not None and self.regressors is not None and o.feature_weight:
            c = self.student.config
            there = c.tokens_behind(c.depth - 1, only_pooled=False) if tokens is None else tokens.tolist()
            patches = [token - c.prefix_tokens for token in there if token >= c.prefix_tokens]
            summary = features[:, 0] if c.pool == 'class' else None
            loss = loss + o.feature_weight * self.regressors.loss(features[:, len(there) - len(patches) :], batch.cnn_tokens[:, patches], batch.cnn_pooled, summary)
        return loss

    def _exact_teacher(self) -> VisionTransformer:
        if not isinstance(self.teacher, VisionTransformer):
            raise ValueError('hidden_weight: expected an exact network as teacher, and neither views nor live ones')
        return self.teacher

    def _hidden_loss(self, batch: Batch, streams: Streams, pooled: Tensor) -> Tensor:
        """See `hidden_loss`. The teacher is asked here, and its logits go into the batch."""
        teacher, theirs = self._exact_teacher(), Streams()
        with torch.no_grad():
            their_pooled = teacher.pooled(teacher.features(batch.images, None, theirs, only_pooled=True))
            batch.teacher_logits = teacher.head(their_pooled).float()
        ours, other = self.student.config, teacher.config
        after = [theirs.after[i] for i in self.taught_by]
        return hidden_loss(streams.after, after, pooled, their_pooled, ours, ours.pool == other.pool != 'class')

    def _kept_tokens(self, generator: Generator) -> Tensor | None:
        """A window of the token grid at a random place, the same for the whole batch of a step. It costs as much less as it is smaller.

        Tokens strewn at random (Li et al., CVPR 2023, arXiv 2212.00794) would tear neighbours apart, which `rel_mix` convolves: of a
        trained teacher, 36 tokens of a window keep 72 % of the images right, 40 strewn ones 69 %, all 64 77 %.
        While switches are still learned, all of them must be seen.

        With CutMix or Mixup, `targets`, teacher logits and pooled features of a batch stay those of the whole image: a window that shows less
        (or none) of the pasted square is taught its share of all 64 tokens. So windows come with noisier labels; what tokens regress is exact.
        """
        o = self.options
        learning = self.switches is not None and any(p.requires_grad for p in self.switches.parameters())
        if not o.token_window or self.step >= o.window_steps or learning:
            return None
        c = self.student.config
        side = c.img_size // c.patch_size
        if o.token_window > side:
            raise ValueError(f'token_window: expected at most {side}, got {o.token_window}')
        top, left = torch.randint(0, side - o.token_window + 1, (2,), generator=generator).tolist()
        grid = torch.arange(side * side).view(side, side)
        window = grid[top : top + o.token_window, left : left + o.token_window].flatten()
        return torch.cat([torch.arange(c.prefix_tokens), c.prefix_tokens + window])

    def state(self) -> dict:
        """Everything that changes, the same on every process; all must call it."""
        for optimizer, matrices in self.shared:
            matrices.exchange_momenta(optimizer)
        return {
            'step': self.step,
            'student': self.student.state_dict(),
            'switches': self.switches.state_dict() if self.switches is not None else None,
            'frozen': None if self.switches is None else [not p.requires_grad for p in self.switches.parameters()],
            'optimizers': [optimizer.state_dict() for optimizer in self.optimizers],
            'ema': self.ema.model.state_dict(),
            'ema_updates': self.ema.updates,
            'regressors': self.regressors.state_dict() if self.regressors is not None else None,
        }

    def load_state(self, state: dict) -> None:
        self.step = state['step']
        self.student.load_state_dict(state['student'])
        if self.switches is not None:
            self.switches.load_state_dict(state['switches'])
            for p, frozen in zip(self.switches.parameters(), state['frozen']):
                p.requires_grad_(not frozen)
        peaks = [group['peak'] for group in self._groups()]
        for optimizer, saved in zip(self.optimizers, state['optimizers'], strict=True):
            optimizer.load_state_dict(saved)
        for group, peak in zip(self._groups(), peaks, strict=True):
            group['peak'] = peak  # the command's learning rates win, so that a resumed run may change them
        self.ema.model.load_state_dict(state['ema'])
        self.ema.updates = state['ema_updates']
        if self.regressors is not None:
            self.regressors.load_state_dict(state['regressors'])


def observed_by(*observers: Observer | None) -> Observer | None:
    """One that tells all of them that there are; None if there are none."""
    there = [observer for observer in observers if observer is not None]

    def tell(name: str, value: Tensor) -> None:
        for observer in there:
            observer(name, value)

    return tell if there else None


def make_optimizers(
    student: VisionTransformer, regressors: nn.Module | None, switches: Switches | None, options: TrainOptions, switch_learning_rate: float
) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or with `options.optimizer == 'muon'` Muon (Jordan et al., 2024) for the matrices inside blocks, whose update
    has AdamW's usual size (Liu et al., 2025, arXiv 2502.16982), so that one learning rate serves both.

    Groups carry `peak`, the learning rate that schedules multiply, and `of_switches`.
    """
    if options.optimizer not in OPTIMIZERS:
        raise ValueError(f'optimizer: expected one of {OPTIMIZERS}, got {options.optimizer!r}')
    weights = [*student.parameters(), *(regressors.parameters() if regressors is not None else ())]
    matrices = [p for m in student.blocks.modules() if isinstance(m, nn.Linear) for p in (m.weight,)] if options.optimizer == 'muon' else []
    chosen = {id(p) for p in matrices}
    common = {'peak': options.learning_rate, 'of_switches': False}
    others = common if not matrices else common | {'peak': options.learning_rate * options.other_learning_rate}
    # Tables of positions are no matrices, whatever their shape: decay would pull each entry to 0 by itself.
    decayed = [p for name, p in student.named_parameters() if p.ndim > 1 and id(p) not in chosen and 'table' not in name]
    decayed += [p for p in (regressors.parameters() if regressors is not None else ()) if p.ndim > 1]
    done = chosen | {id(p) for p in decayed}
    groups = [
        {'params': decayed, 'weight_decay': options.weight_decay, **others},
        {'params': [p for p in weights if id(p) not in done], 'weight_decay': 0.0, **others},
    ]
    if switches is not None:
        groups.append({'params': list(switches.parameters()), 'weight_decay': 0.0, 'peak': switch_learning_rate, 'of_switches': True})
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.99))]
    if matrices:
        muon = Float32Muon if autocast_dtype(matrices[0].device) is None else torch.optim.Muon
        group = [{'params': matrices, **common}]
        optimizers.append(muon(group, lr=options.learning_rate, weight_decay=options.weight_decay, adjust_lr_fn='match_rms_adamw'))
    return optimizers


@dataclass
class RunLog:
    """A run's folder: `log.txt` (one line a round) and `last.pt` (everything needed to go on). Only process 0 writes.

    describe: the description of weights that `keep` saves, by their switches (see `checkpoint.describe`).
    """

    folder: Path
    rank: int = 0
    started: float = field(default_factory=time.time)
    describe: Callable[[SwitchTensors], dict] = lambda switches: {}

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def line(self, **values) -> None:
        text = ' '.join(f'{k}={v:.4g}' if isinstance(v, float) else f'{k}={v}' for k, v in values.items())
        text += f' seconds={time.time() - self.started:.0f}'
        if self.rank == 0:
            print(text, flush=True)
            with open(self.folder / 'log.txt', 'a') as file:
                file.write(text + '\n')

    def save(self, state: dict) -> None:
        if self.rank == 0:
            torch.save(state, self.folder / 'last.partial')
            os.replace(self.folder / 'last.partial', self.folder / 'last.pt')

    def keep(self, count: int, step: int, model: VisionTransformer, switches: SwitchTensors) -> None:
        """Save weights of a step as a checkpoint of its own, `ema-STEP.safetensors`; of these files, the `count` of the latest steps stay."""
        if self.rank == 0 and count:
            save_checkpoint(self.folder / f'ema-{step}.safetensors', model.state_dict(), switches, self.describe(switches))
            for old in sorted(self.folder.glob('ema-*.safetensors'), key=lambda path: int(path.stem[4:]))[:-count]:
                old.unlink()

    def load(self) -> dict | None:
        path = self.folder / 'last.pt'
        return torch.load(path, map_location='cpu', weights_only=True) if path.exists() else None
