"""SecretFlow SPU, two processes over TCP of this machine: SEMI2K (the first party deals random numbers: not secure against it) or CHEETAH."""
from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import spu
import spu.libspu as libspu
import spu.utils.frontend as frontend

from network import Network, forward
from parties import loopback_bytes, run_parties


class Operations:
    softmax = staticmethod(lambda x: jax.nn.softmax(x, axis=-1))
    gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=True))
    rsqrt = staticmethod(jax.lax.rsqrt)
    concatenate = staticmethod(lambda parts: jnp.concatenate(parts, axis=0))
    take = staticmethod(lambda x, rows: jnp.take(x, rows, axis=0, mode='clip'))


def run(network: Network, weights: dict[str, np.ndarray], patches: np.ndarray, protocol: str, ports: list[int]) -> tuple[np.ndarray, float, int]:
    """Logits, and the seconds and bytes of the computation: link, shares of the inputs and compilation are before it."""
    names = list(weights)
    config = libspu.RuntimeConfig(protocol=spu.parse_protocol_kind(protocol), field=spu.parse_field_type('FM64'))

    def program(patches, *values):
        return forward(Operations, network, dict(zip(names, values)), patches)

    inputs = [patches, *weights.values()]
    secret = [libspu.Visibility.VIS_SECRET] * len(inputs)
    executable, _ = frontend.compile(
        frontend.Kind.JAX, program, inputs, {}, [f'in{i}' for i in range(len(inputs))], secret, lambda out: [f'out{i}' for i in range(len(out))]
    )
    io = spu.Io(2, config)
    shares = [io.make_shares(value, libspu.Visibility.VIS_SECRET) for value in inputs]
    answers = run_parties(_party, [(config, executable, [share[rank] for share in shares], ports) for rank in (0, 1)])
    logits = io.reconstruct([answer for answer, *_ in answers])
    return np.asarray(logits), max(seconds for _, seconds, _ in answers), answers[0][2]


def _party(rank, config, executable, shares, ports):
    description = libspu.link.Desc()
    description.recv_timeout_ms = 3_600_000
    for i, port in enumerate(ports):
        description.add_party(f'party{i}', f'127.0.0.1:{port}')
    link = libspu.link.create_brpc(description, rank)
    runtime = spu.Runtime(link, config)
    for name, share in zip(executable.input_names, shares):
        runtime.set_var(name, share)
    link.barrier()
    before = loopback_bytes()
    started = time.perf_counter()
    runtime.run(executable)
    seconds = time.perf_counter() - started
    carried = loopback_bytes() - before
    answer = runtime.get_var(executable.output_names[0])
    link.barrier()
    link.stop_link()
    return answer, seconds, carried
