"""Fine-tuning of the CNN that teaches: on images of other classes than ImageNet's, or compressed otherwise than those it knows."""
from __future__ import annotations

import torch
from torch import Tensor

from vit.data import ImageSet

from . import augment
from .batches import batch_indices, step_generator
from .distill import smooth_one_hot, soft_cross_entropy
from .distributed import autocast_dtype
from .engine import Ema, RunLog, cosine
from .teaching import TeachingCnn
from .views import enlarge, random_windows


def finetune_cnn(
    cnn: TeachingCnn,
    train: ImageSet,
    validation: ImageSet,
    log: RunLog,
    steps: int,
    img_size: int,
    cnn_size: int,
    min_area: float,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> float:
    """Train `cnn` in place by AdamW under a cosine learning rate, on the windows that `views.py` makes, cut-mixed half the time; resumes
    in `log`'s folder. Returns its validation accuracy in 0..1, with averaged weights."""
    net = cnn.net.requires_grad_(True).train()
    head = list(cnn.head.parameters())
    body = [p for p in net.parameters() if all(p is not q for q in head)]
    optimizer = torch.optim.AdamW([{'params': head, 'peak': 4 * learning_rate}, {'params': body, 'peak': learning_rate}], weight_decay=0.02)
    ema = Ema(net, 0.995)
    dtype = autocast_dtype(torch.device('cpu'))
    step, losses = 0, []
    if (saved := log.load()) is not None:
        step = saved['step']
        net.load_state_dict(saved['net']), ema.model.load_state_dict(saved['ema']), optimizer.load_state_dict(saved['optimizer'])
        ema.updates = step
    while step < steps:
        for group in optimizer.param_groups:
            group['lr'] = group['peak'] * cosine(step, steps, warmup=min(50, steps // 4))
        generator = step_generator(seed, step)
        _, indices = batch_indices(len(train), batch_size, step, seed)
        small, _ = random_windows(train.images[indices], img_size, img_size, min_area, generator)
        targets = smooth_one_hot(train.labels[indices], len(train.info.labels), 0.1)
        images, own = augment.blend(small.float(), 0.5, 0.0, generator)
        targets = augment.blend_targets(targets, own)
        with torch.autocast('cpu', dtype, enabled=dtype is not None):
            logits = _logits(cnn, enlarge(images, cnn_size))
        loss = soft_cross_entropy(logits.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        ema.update(net)
        for mine, theirs in zip(ema.model.buffers(), net.buffers()):
            mine.copy_(theirs)  # running statistics are averages already
        losses.append(float(loss.detach()))
        step += 1
        if step % 100 == 0 or step == steps:
            log.line(stage='cnn', step=step, epoch=step * batch_size / len(train), loss=sum(losses) / len(losses))
            log.save({'step': step, 'net': net.state_dict(), 'ema': ema.model.state_dict(), 'optimizer': optimizer.state_dict()})
            losses = []
    net.load_state_dict(ema.model.state_dict())
    net.eval().requires_grad_(False)
    right = 0
    for start in range(0, len(validation), 100):
        images = enlarge(augment.resize(validation.images[start : start + 100], img_size), cnn_size)
        right += int((cnn(images, 1)[2].argmax(dim=1) == validation.labels[start : start + 100]).sum())
    log.line(stage='cnn', step=step, validation=right / len(validation))
    return right / len(validation)


def _logits(cnn: TeachingCnn, images: Tensor) -> Tensor:
    """Logits (B, classes) with gradients; images (B, 3, S, S) in 0..255."""
    _, features = cnn.features(cnn.prepare(images))
    return cnn.head(features.mean(dim=(2, 3)))
