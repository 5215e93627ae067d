"""The same training code on one process or, under `torchrun`, on several."""
from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor


def start() -> tuple[int, int, torch.device]:
    """(rank, number of processes, device). Joins the process group if torchrun started this process."""
    cuda = torch.cuda.is_available()
    if 'RANK' not in os.environ:
        return 0, 1, torch.device('cuda' if cuda else 'cpu')
    if not dist.is_initialized():
        dist.init_process_group('nccl' if cuda else 'gloo')
    local = int(os.environ.get('LOCAL_RANK', '0'))
    return dist.get_rank(), dist.get_world_size(), torch.device('cuda', local) if cuda else torch.device('cpu')


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Every process ends with the mean of all processes' gradients. Does nothing on one process."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    grads = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    offset = 0
    for g in grads:
        g.copy_(flat[offset : offset + g.numel()].view_as(g))
        offset += g.numel()


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 where hardware multiplies it (CUDA, AMX, AVX-512 BF16), else None for plain float32."""
    if device.type == 'cuda':
        return torch.bfloat16
    try:
        flags = Path('/proc/cpuinfo').read_text()
    except OSError:
        return None
    return torch.bfloat16 if 'amx_bf16' in flags or 'avx512_bf16' in flags else None
