"""Accuracy against budget, gathered from finished runs."""
from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open


def frontier_points(runs: list[Path]) -> list[dict]:
    """For each run folder's `checkpoint.safetensors`: run, dataset, method (`search` or a baseline's name), kept softmax rows and GELU
    tokens, and validation accuracy (0..1). Runs without a checkpoint are not finished, and left out."""
    points = []
    for run in runs:
        path = Path(run) / 'checkpoint.safetensors'
        if not path.exists():
            continue
        with safe_open(path, 'pt') as file:
            description = json.loads(file.metadata()['config'])
            softmax, gelu = (int(file.get_tensor(f'switch.{kind}').sum()) for kind in ('softmax', 'gelu'))
        recipe = description['recipe']
        method = recipe.split('(')[1].split(')')[0] if recipe.startswith('PriViT (') else 'exact'
        points.append({
            'run': Path(run).name, 'dataset': description['dataset'], 'method': method, 'softmax': softmax, 'gelu': gelu,
            'validation': description['validation_accuracy'],
        })  # fmt: skip
    return points


def frontier_table(points: list[dict]) -> str:
    """The points as a Markdown table, most softmax rows first."""
    lines = ['| run | set | method | softmax rows | GELU tokens | validation top-1 |', '|---|---|---|---|---|---|']
    for p in sorted(points, key=lambda p: (p['dataset'], -p['softmax'], -p['validation'])):
        lines.append(f"| {p['run']} | {p['dataset']} | {p['method']} | {p['softmax']} | {p['gelu']} | {100 * p['validation']:.2f} % |")
    return '\n'.join(lines)
