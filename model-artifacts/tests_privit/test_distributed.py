"""Several processes take one step on the mean of their gradients."""
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import torch
from privit.distributed import average_gradients, start
from privit.batches import batch_indices
rank, world, _ = start()
p = torch.nn.Parameter(torch.zeros(3))
(p * torch.tensor([1.0, 2.0, 3.0]) * (rank + 1)).sum().backward()
average_gradients([p])
assert p.grad.tolist() == [1.5, 3.0, 4.5], p.grad
shares = [set(batch_indices(16, 4, 0, 0, r, world)[1].tolist()) for r in range(world)]
assert len(shares[0] | shares[1]) == 8
# Without this a rank that exits while the other still talks to it aborts now and then.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def test_two_processes_average_their_gradients_and_share_the_examples(tmp_path):
    script = tmp_path / 'check.py'
    script.write_text(SCRIPT)
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).resolve().parents[1]), 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', str(script)]
    result = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
