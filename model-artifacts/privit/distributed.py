"""The same training code on one process or, under `torchrun`, on several."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn


def start() -> tuple[int, int, torch.device]:
    """(rank, number of processes, device). Joins the process group if torchrun started this process. On GPUs, tensors on the CPU (`total`)
    go by gloo."""
    cuda = torch.cuda.is_available()
    if 'RANK' not in os.environ:
        return 0, 1, torch.device('cuda' if cuda else 'cpu')
    local = int(os.environ.get('LOCAL_RANK', '0'))
    if not dist.is_initialized():
        if cuda:
            torch.cuda.set_device(local)
        dist.init_process_group('cpu:gloo,cuda:nccl' if cuda else 'gloo')
    return dist.get_rank(), dist.get_world_size(), torch.device('cuda', local) if cuda else torch.device('cpu')


def finish() -> None:
    """The end of a process that `start` made one of several: waits for the others, then ends this one at once. Alone it does nothing.

    An interpreter that shuts down while gloo's threads still run aborts now and then (one run in thirty; PyTorch pull request 179291), which
    would make a complete run look failed. So the interpreter does not shut down: all files are written and closed by now.
    """
    if not dist.is_initialized():
        return
    dist.barrier()  # else one that ends while another still talks to it breaks the other's connection
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def copy_from_first(module: nn.Module) -> None:
    """Every process gets process 0's parameters and buffers. Does nothing on one process."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return
    for tensor in module.state_dict().values():  # share their memory with the module's own
        dist.broadcast(tensor, 0)


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


def total(count: int) -> int:
    """The sum of all processes' counts."""
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return count
    counts = torch.tensor(count)
    dist.all_reduce(counts)
    return int(counts)


class SharedMatrices:
    """Deals matrices out to the processes, largest first: each updates its own and sends them to the others.

    Muon orthogonalises every matrix in every step; done by all processes alike, that would be a tenth of a step on two.
    The result is the same as without sharing, because every process has the same averaged gradients.
    """

    def __init__(self, matrices: Iterable[Tensor], rank: int, world: int) -> None:
        order = sorted(matrices, key=lambda p: -p.numel())
        self.rank, self.shares = rank, [order[r::world] for r in range(world)]

    def keep_mine(self) -> None:
        """Drop the gradients of others' matrices, so that an optimizer's step skips them."""
        for rank, share in enumerate(self.shares):
            for p in share if rank != self.rank else ():
                p.grad = None

    def exchange(self) -> None:
        """After the optimizer's step: everybody gets every owner's matrices."""
        self._broadcast([[p.data for p in share] for share in self.shares])

    def exchange_momenta(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a checkpoint: everybody gets every owner's momentum, so that any process can save all of it."""
        for p in (p for share in self.shares for p in share):
            optimizer.state[p].setdefault('momentum_buffer', torch.zeros_like(p))
        self._broadcast([[optimizer.state[p]['momentum_buffer'] for p in share] for share in self.shares])

    def _broadcast(self, shares: list[list[Tensor]]) -> None:
        for owner, share in enumerate(shares if len(shares) > 1 else []):
            if not share:
                continue  # more processes than matrices
            flat = torch.cat([t.flatten() for t in share])
            dist.broadcast(flat, owner)
            if owner != self.rank:
                for t, part in zip(share, flat.split([t.numel() for t in share]), strict=True):
                    t.copy_(part.view_as(t))


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 where hardware multiplies it (CUDA, AMX, AVX-512 BF16), else None for plain float32."""
    if device.type == 'cuda':
        return torch.bfloat16
    try:
        flags = Path('/proc/cpuinfo').read_text()
    except OSError:
        return None
    return torch.bfloat16 if 'amx_bf16' in flags or 'avx512_bf16' in flags else None
