"""Stage 0: the teacher, an exact ViT (every softmax and GELU kept), which the search then Taylorizes."""
from __future__ import annotations

from dataclasses import dataclass

import torch

from vit.data import ImageSet
from vit.model import VisionTransformer, ViTConfig, adapt_patch_embedding, computed

from .batches import BatchSource
from .engine import RunLog, Trainer, TrainOptions, cosine
from .evaluate import shared_accuracy
from .features import FeatureRegressors
from .ood import ood_images
from .options import option


@dataclass
class TeacherOptions:
    """Steps are optimisation steps; `evaluate_every` 0 means once an epoch."""

    steps: int = option(1000, 'in all')
    warmup_steps: int = option(50, 'steps until the learning rate is at its peak')
    final_learning_rate: float = option(0.0, 'part of the peak that is left at the end')
    evaluate_every: int = option(0, 'steps between looks at the validation images; 0: once an epoch')


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
    if config.square_units and not start.config.square_units:  # fresh ones, which add nothing yet
        weights |= {k: v for k, v in model.state_dict().items() if '.squares.' in k}
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
    regressors: FeatureRegressors | None = None,
    stop_after: int | None = None,
) -> tuple[VisionTransformer, float] | None:
    """Run, or resume, in `log`'s folder: (model with EMA weights, validation accuracy in 0..1), or None if stopped early."""
    ood = ood_images(model.config.img_size, validation.info) if train.ood_weight else None
    trainer = Trainer(model, source, train, None, None, regressors=regressors, ood=ood)
    log.rank = trainer.rank
    saved = log.load()
    if saved is not None:
        trainer.load_state(saved['trainer'])
    on = computed(model.config)

    def checkpoint() -> None:
        log.save({'trainer': trainer.state()})
        log.keep(train.keep_last, trainer.step, trainer.ema.model, on)

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
            checkpoint()
        if stop_after is not None and trainer.step >= stop_after:
            return None
    checkpoint()
    return trainer.ema.model, shared_accuracy(trainer.ema.model, None, validation)
