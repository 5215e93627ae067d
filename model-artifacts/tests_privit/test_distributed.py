"""Several processes start from the same weights, take one step on the mean of their gradients, and share the work of Muon and of evaluation."""
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import torch
from privit.distributed import SharedMatrices, average_gradients, finish, start, total
from privit.batches import batch_indices
rank, world, _ = start()
p = torch.nn.Parameter(torch.zeros(3))
(p * torch.tensor([1.0, 2.0, 3.0]) * (rank + 1)).sum().backward()
average_gradients([p])
assert p.grad.tolist() == [1.5, 3.0, 4.5], p.grad
shares = [set(batch_indices(16, 4, 0, 0, r, world)[1].tolist()) for r in range(world)]
assert len(shares[0] | shares[1]) == 8
assert total(rank + 1) == 3

def muon(steps, shared):
    torch.manual_seed(0)
    matrices = [torch.nn.Parameter(torch.randn(shape)) for shape in ((4, 6), (8, 4), (5, 5))]
    optimizer = torch.optim.Muon(matrices, lr=0.1)
    mine = SharedMatrices(matrices, rank, world) if shared else None
    for _ in range(steps):
        for p in matrices:
            p.grad = torch.sin(p.detach())
        if shared:
            mine.keep_mine()
            assert sum(p.grad is None for p in matrices) == (1 if rank == 0 else 2)
        optimizer.step()
        if shared:
            mine.exchange()
    if shared:
        mine.exchange_momenta(optimizer)
    return matrices + [optimizer.state[p]['momentum_buffer'] for p in matrices]

for a, b in zip(muon(3, True), muon(3, False), strict=True):
    assert torch.equal(a, b), (a, b)

from dataclasses import replace
import torch.distributed as dist
from privit.batches import AugmentOptions, LabelledImages
from vit.data import synthetic_splits
from privit.engine import Trainer, TrainOptions
from privit.features import FeatureRegressors
from privit.switches import Switches
from vit.model import VisionTransformer, ViTConfig

class WithFeatures(LabelledImages):
    def batch(self, *arguments):
        batch = super().batch(*arguments)
        return replace(batch, cnn_tokens=torch.ones(len(batch.images), 4, 3), cnn_pooled=torch.ones(len(batch.images), 5))

def same_everywhere(*modules):
    for module in modules:
        for name, tensor in module.state_dict().items():
            theirs = [torch.empty_like(tensor) for _ in range(world)]
            dist.all_gather(theirs, tensor)
            assert torch.equal(*theirs), name

torch.manual_seed(rank)
config = ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=4, positional=True)
student, regressors = VisionTransformer(config), FeatureRegressors(16, 3, 5)
source = WithFeatures(synthetic_splits().train, 8, AugmentOptions(crop_padding=1))
trainer = Trainer(student, source, TrainOptions(batch_size=8, optimizer='muon'), switches=Switches(config), regressors=regressors)
same_everywhere(student, regressors, trainer.switches, trainer.ema.model)
before = [p.clone() for p in (*student.parameters(), *regressors.parameters())]
trainer.train_step(lambda: sum(trainer.switches.l1()))
same_everywhere(student, regressors, trainer.switches, trainer.ema.model)
assert any(not torch.equal(a, b) for a, b in zip(before, (*student.parameters(), *regressors.parameters())))
finish()
raise AssertionError('finish ends the process')
"""


def test_two_processes_share_weights_gradients_and_work(tmp_path):
    script = tmp_path / 'check.py'
    script.write_text(SCRIPT)
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parents[1]), 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', str(script)]
    result = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
