"""CrypTen, two processes over TCP of this machine. Its default provider is the first party, which deals: not secure against it."""
from __future__ import annotations

import os
import sys
import time
import types

import numpy as np
import torch

# The converter of saved networks wants parts of torch that are gone; it is not used here.
converter = types.ModuleType('crypten.nn.onnx_converter')
converter.from_onnx = converter.from_pytorch = converter.from_tensorflow = None
converter.TF_AND_TF2ONNX = False
sys.modules[converter.__name__] = converter
import crypten  # noqa: E402

from network import Network, forward  # noqa: E402
from parties import loopback_bytes, run_parties  # noqa: E402


class Operations:
    softmax = staticmethod(lambda x: x.softmax(1))
    gelu = staticmethod(lambda x: x * (1.702 * x).sigmoid())
    rsqrt = staticmethod(lambda x: x.inv_sqrt())
    concatenate = staticmethod(lambda parts: crypten.cat(parts, dim=0))
    take = staticmethod(lambda x, rows: x.index_select(0, torch.as_tensor(rows)))


class Plain(Operations):
    """The same approximations in the clear, of which only the fixed point differs."""

    softmax = staticmethod(lambda x: torch.softmax(x, 1))
    gelu = staticmethod(lambda x: x * torch.sigmoid(1.702 * x))
    rsqrt = staticmethod(torch.rsqrt)
    concatenate = staticmethod(lambda parts: torch.cat(parts, 0))


def run(network: Network, weights: dict[str, np.ndarray], patches: np.ndarray, ports: list[int]) -> tuple[np.ndarray, float, int]:
    """Logits, and the seconds and bytes of the computation: the encryption of the inputs is before it."""
    answers = run_parties(_party, [(network, weights, patches, ports[0])] * 2)
    return answers[0][0], max(seconds for _, seconds, _ in answers), answers[0][2]


def _party(rank, network, weights, patches, port):
    os.environ |= {'WORLD_SIZE': '2', 'RANK': str(rank), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    os.environ |= {'RENDEZVOUS': 'env://', 'DISTRIBUTED_BACKEND': 'gloo', 'GLOO_SOCKET_IFNAME': 'lo'}
    torch.set_num_threads(1)
    crypten.init()
    secret = {name: crypten.cryptensor(torch.from_numpy(value), src=0) for name, value in weights.items()}
    image = crypten.cryptensor(torch.from_numpy(patches), src=1)
    crypten.communicator.get().barrier()
    before = loopback_bytes()
    started = time.perf_counter()
    logits = forward(Operations, network, secret, image)
    seconds = time.perf_counter() - started
    carried = loopback_bytes() - before
    answer = logits.get_plain_text().numpy()
    crypten.communicator.get().barrier()
    return answer, seconds, carried
