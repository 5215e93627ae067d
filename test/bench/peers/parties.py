"""Two parties as processes of this machine."""
from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any


def loopback_bytes() -> int:
    """What the loopback interface has carried."""
    for line in Path('/proc/net/dev').read_text().splitlines():
        if line.strip().startswith('lo:'):
            return int(line.split(':')[1].split()[0])
    raise RuntimeError('no loopback interface')


def run_parties(party: Callable[..., Any], arguments: list[tuple]) -> list[Any]:
    """What `party(rank, …)` returns for each rank. Where one fails, the others are ended: they would wait for it for ever."""
    context = multiprocessing.get_context('spawn')  # JAX has threads, which a fork would lose
    pipes = [context.Pipe(duplex=False) for _ in arguments]
    processes = [
        context.Process(target=_send, args=(pipe[1], party, rank, of), daemon=True) for rank, (pipe, of) in enumerate(zip(pipes, arguments))
    ]
    for process, (_, sender) in zip(processes, pipes):
        process.start()
        sender.close()
    results = {}
    waiting = {receiver: rank for rank, (receiver, _) in enumerate(pipes)}
    try:
        while waiting:
            for receiver in wait(list(waiting)):
                rank = waiting.pop(receiver)
                try:
                    results[rank] = receiver.recv()
                except EOFError:
                    raise RuntimeError(f'party {rank} failed; its own words stand above') from None
    finally:
        if waiting:
            for process in processes:
                process.terminate()
        for process in processes:
            process.join()
    return [results[rank] for rank in range(len(arguments))]


def _send(pipe, party, rank, arguments):
    pipe.send(party(rank, *arguments))
