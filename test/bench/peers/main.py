"""Peers on one machine, in turn with ours: python test/bench/peers/main.py [MODEL] [--runs N] [--softmax F] [--gelu F] [--peers …] [--json]

MODEL is a bundled model's name or a model's folder. Needs requirements.txt. Each round runs ours, then every peer; medians and spread are printed.
Seconds are both phases, the offline one included, without start-up, compilation, the exchange of keys and the sharing of
inputs. Bytes are both directions': ours as
counted in the channel, the peers' as the loopback interface counts them (TCP's headers included, about 1 %), in a network namespace of their own
where the system allows one.
"""
from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

root = Path(__file__).resolve().parents[3]
PEERS = {
    'cheetah': ('SPU Cheetah', 'spu', 'nobody deals'),
    'semi2k': ('SPU SEMI2K', 'spu', 'the first party deals'),
    'crypten': ('CrypTen', 'crypten', 'the first party deals'),
}


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(('127.0.0.1', 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def measure_peer(peer: str, arguments: argparse.Namespace) -> None:
    """In a process of its own: prints seconds, bytes and the largest error of a logit."""
    from network import draw, forward, read_network

    network = read_network(folder_of(arguments.model), arguments.softmax, arguments.gelu)
    weights, patches = draw(network)
    if peer == 'crypten':
        import run_crypten as framework
        import torch

        logits, seconds, carried = framework.run(network, weights, patches, free_ports(1))
        plain = forward(framework.Plain, network, {name: torch.from_numpy(w) for name, w in weights.items()}, torch.from_numpy(patches)).numpy()
    else:
        import run_spu as framework

        logits, seconds, carried = framework.run(network, weights, patches, peer.upper(), free_ports(2))
        plain = forward(framework.Operations, network, weights, patches)
    error = float(abs(logits - plain).max())
    print(json.dumps({'seconds': seconds, 'bytes': carried, 'error': error, 'spread': float(plain.std())}))


def measure_ours(arguments: argparse.Namespace) -> dict:
    image = arguments.image or next((folder_of(arguments.model) / 'samples').iterdir(), None)
    command = ['npm', 'run', '--silent', 'classify', '--', '--model', str(folder_of(arguments.model)), '--image', str(image), '--json']
    phases = json.loads(subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout)['phases']
    of = [phases[name] for name in ('offline', 'online')]
    bytes_ = sum(phase['bytesClientToOwner'] + phase['bytesOwnerToClient'] for phase in of)
    return {'seconds': sum(phase['elapsedMs'] for phase in of) / 1000, 'bytes': bytes_}


def folder_of(model: str) -> Path:
    bundled = root / 'model-artifacts' / 'zoo' / model
    return bundled if bundled.is_dir() else Path(model).resolve()


def isolated() -> list[str]:
    """The words before a command that give it a loopback interface of its own; none where that is not allowed."""
    words = ['unshare', '--net', '--map-root-user', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
    return words if subprocess.run([*words, 'true'], capture_output=True).returncode == 0 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', nargs='?', default='cifar10')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--image', help='a photograph for ours; by default the first sample of the model')
    parser.add_argument('--softmax', type=float, help='share of exact softmax rows, in place of the model’s (peers only)')
    parser.add_argument('--gelu', type=float, help='share of exact GELU tokens, in place of the model’s (peers only)')
    parser.add_argument('--peers', nargs='*', choices=PEERS, default=list(PEERS))
    parser.add_argument('--only', choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument('--json', action='store_true')
    arguments = parser.parse_args()
    if arguments.only:
        return measure_peer(arguments.only, arguments)
    if not (folder_of(arguments.model) / 'manifest.json').is_file():
        parser.error(f'{arguments.model}: no bundled model, and no folder with a manifest.json')

    alone = isolated()
    found: dict[str, list[dict]] = {'ours': [], **{peer: [] for peer in arguments.peers}}
    for _ in range(arguments.runs):
        found['ours'].append(measure_ours(arguments))
        for peer in arguments.peers:
            command = [*alone, sys.executable, __file__, *sys.argv[1:], '--only', peer]
            result = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
            if result.returncode != 0:
                sys.exit(f'{peer}: {result.stderr[-2000:]}')
            found[peer].append(json.loads(result.stdout.splitlines()[-1]))
    if arguments.json:
        return print(json.dumps(found))

    print(f'{arguments.model}, {date.today()}, load {os.getloadavg()[0]:.1f}, medians of {arguments.runs}, both phases')
    ours = statistics.median(run['seconds'] for run in found['ours'])
    for name, runs in found.items():
        title, package, dealer = PEERS.get(name, ('ours', None, 'nobody deals'))
        seconds = [run['seconds'] for run in runs]
        middle = statistics.median(seconds)
        megabytes = statistics.median(run['bytes'] for run in runs) / 1e6
        wrong = f", logits off by {runs[0]['error']:.3f} of a spread of {runs[0]['spread']:.3f}" if 'error' in runs[0] else ''
        label = f'{title} {version(package)}' if package else title
        print(f'{label:20} {dealer:22} {middle:7.2f} s ({min(seconds):.2f} to {max(seconds):.2f}) {megabytes:8.1f} MB {middle / ours:6.1f} × ours{wrong}')


if __name__ == '__main__':
    main()
