"""Stage 0: the teacher, an exact ViT (every softmax and GELU kept), which the search then Taylorizes."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .batches import BatchSource
from .data import ImageSet
from .engine import RunLog, Trainer, TrainOptions, cosine
from .evaluate import shared_accuracy
from .vit import VisionTransformer, ViTConfig, adapt_patch_embedding


@dataclass
class TeacherOptions:
    """Steps are optimisation steps; `evaluate_every` 0 means once an epoch."""

    steps: int = 1000
    warmup_steps: int = 50
    final_learning_rate: float = 0.0  # part of the peak
    evaluate_every: int = 0


def initial_model(config: ViTConfig, start: VisionTransformer | None, same_labels: bool) -> VisionTransformer:
    """A fresh network, or one that starts from another's weights: a smaller patch embedding is stretched, and the classifier is
    fresh unless the labels are the same."""
    model = VisionTransformer(config)
    if start is None:
        return model
    weights = start.state_dict()
    weights['patch_embed.proj.weight'] = adapt_patch_embedding(weights['patch_embed.proj.weight'], config.patch_size)
    if not same_labels:
        weights = {k: v for k, v in weights.items() if not k.startswith('head.')}
    if config.positional and not start.config.positional:  # tables of zeros: the function that it starts from
        weights |= {k: torch.zeros_like(v) for k, v in model.state_dict().items() if '.rel_' in k}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or any(not k.startswith('head.') for k in missing):
        raise ValueError(f'start: expected the same architecture, but missing {missing}, unexpected {unexpected}')
    return model


def train_teacher(
    model: VisionTransformer,
    source: BatchSource,
    validation: ImageSet,
    train: TrainOptions,
    options: TeacherOptions,
    log: RunLog,
    regressors: nn.Module | None = None,
    stop_after: int | None = None,
) -> tuple[VisionTransformer, float] | None:
    """Run, or resume, in `log`'s folder: (model with EMA weights, validation accuracy in 0..1), or None if stopped early."""
    trainer = Trainer(model, source, train, None, None, regressors=regressors)
    log.rank = trainer.rank
    saved = log.load()
    if saved is not None:
        trainer.load_state(saved['trainer'])
    every = options.evaluate_every or trainer.steps_per_epoch
    losses = []
    while trainer.step < options.steps:
        trainer.set_learning_rate(cosine(trainer.step, options.steps, options.warmup_steps, options.final_learning_rate))
        losses.append(trainer.train_step())
        if trainer.step % every == 0 or trainer.step == options.steps:
            log.line(
                stage=0, step=trainer.step, epoch=trainer.step / trainer.steps_per_epoch, loss=sum(losses) / len(losses),
                validation=shared_accuracy(trainer.ema.model, None, validation),
            )  # fmt: skip
            losses = []
        if trainer.step % train.checkpoint_every == 0:
            log.save({'trainer': trainer.state()})
        if stop_after is not None and trainer.step >= stop_after:
            return None
    log.save({'trainer': trainer.state()})
    return trainer.ema.model, shared_accuracy(trainer.ema.model, None, validation)
