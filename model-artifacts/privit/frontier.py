"""Accuracy against budget: gathered from finished runs, or from points that `npm run frontier` recorded of exported networks."""
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


COSTS = {
    'onlineBytes': ('MB online', 1e-6), 'totalBytes': ('MB in all', 1e-6), 'flights': ('flights', 1.0), 'onlineSeconds': ('s online', 1.0)
}  # fmt: skip
"""What a recorded point is drawn against: its words, and the factor to its unit."""


def recorded_points(path: Path) -> list[dict]:
    """Of `npm run frontier -- --record`: see `Point` in scripts/frontier.ts. Adds `totalBytes`."""
    points = json.loads(path.read_text())
    return [point | {'totalBytes': point['onlineBytes'] + point['offlineBytes']} for point in points]


def recorded_table(points: list[dict]) -> str:
    """The points as a Markdown table, method by method, cheapest first."""
    lines = [
        '| method | network | softmax rows | GELU tokens | accuracy | MB online | MB offline | flights | s online |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for p in sorted(points, key=lambda p: (p['method'], p['totalBytes'])):
        of = '' if p['seed'] == 0 else f", seed {p['seed']}"
        lines.append(
            f"| {p['method']} | {p['blocks']} blocks, {p['tokens']} tokens{of} | {p['softmaxRows']} | {p['geluTokens']} | {100 * p['accuracy']:.2f} % "
            f"| {p['onlineBytes'] / 1e6:.2f} | {p['offlineBytes'] / 1e6:.1f} | {p['flights']} | {p['onlineSeconds']:.2f} |"
        )
    return '\n'.join(lines)


def undominated(points: list[dict], cost: str) -> list[dict]:
    """Those that no cheaper one is as accurate as, cheapest first."""
    best: list[dict] = []
    for point in sorted(points, key=lambda p: (p[cost], -p['accuracy'])):
        if not best or point['accuracy'] > best[-1]['accuracy']:
            best.append(point)
    return best


def smallest_lead(above: list[dict], below: list[dict], cost: str) -> tuple[float, float]:
    """By how much `above` leads where it leads least: (accuracy, 0..1; the figure of `cost`). Of both, the best that costs no more is
    compared, at every figure that a point of either has, from the first where both have one. Neither list is empty."""
    def best(points: list[dict], figure: float) -> float:
        return max(p['accuracy'] for p in points if p[cost] <= figure)

    first = max(min(p[cost] for p in points) for points in (above, below))
    figures = sorted({p[cost] for p in above + below if p[cost] >= first})
    return min((best(above, figure) - best(below, figure), figure) for figure in figures)


def leads_table(points: list[dict]) -> str:
    """Whether the cost-aware frontier lies above the faithful one, and that above every baseline's, as a Markdown table. Below the cheapest
    point of a frontier it says nothing: polynomials alone, the cheapest of all, are also where PriViT's search ends at a budget of 0."""
    methods = list(dict.fromkeys(p['method'] for p in points))
    baselines = [m for m in methods if m not in ('exact', 'faithful', 'cost-aware')]
    pairs = [('cost-aware', 'faithful'), *(('faithful', m) for m in baselines), *(('cost-aware', m) for m in baselines)]
    costs = ['onlineBytes', 'totalBytes', 'flights']
    lines = ['| above | below | ' + ' | '.join(f'smallest lead by {COSTS[c][0]}' for c in costs) + ' |', '|---' * (2 + len(costs)) + '|']
    for above, below in pairs:
        own, other = ([p for p in points if p['method'] == m] for m in (above, below))
        if own and other:
            lines.append(f'| {above} | {below} | ' + ' | '.join(_lead_in_words(own, other, c) for c in costs) + ' |')
    return '\n'.join(lines)


def _lead_in_words(above: list[dict], below: list[dict], cost: str) -> str:
    lead, at = smallest_lead(above, below, cost)
    words, factor = COSTS[cost]
    return f'{100 * lead:+.2f} points at {factor * at:.4g} {words.split()[0]}'
