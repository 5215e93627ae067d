"""Pictures: where the exact nonlinearities are, and what they buy."""
from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from vit.model import SwitchTensors, ViTConfig, computed

from .frontier import COSTS, undominated


def token_grid(kept: Tensor, prefix_tokens: int) -> Tensor:
    """Switches (tokens,) as the patches lie, (rows, side); class token and registers in rows of their own above, NaN where nothing is."""
    side = round((len(kept) - prefix_tokens) ** 0.5)
    above = torch.full((-(-prefix_tokens // side) * side,), float('nan'))
    above[:prefix_tokens] = kept[:prefix_tokens]
    return torch.cat([above, kept[prefix_tokens:]]).view(-1, side)


def plot_switch_maps(config: ViTConfig, switches: SwitchTensors, path: Path, title: str = '') -> None:
    """Softmax rows as one small grid of tokens per layer (down) and head (across), GELU tokens in the last column; nothing where nothing is
    computed. PNG."""
    softmax, gelu = (s.detach().cpu().masked_fill(there == 0, float('nan')) for s, there in zip(switches, computed(config)))
    depth, heads, _ = softmax.shape
    figure, axes = plt.subplots(depth, heads + 1, figsize=(1.3 * (heads + 1), 1.3 * depth + 0.6), squeeze=False)
    for layer in range(depth):
        for column in range(heads + 1):
            axis = axes[layer][column]
            kept = softmax[layer, column] if column < heads else gelu[layer]
            axis.imshow(token_grid(kept, config.prefix_tokens).numpy(), vmin=0, vmax=1, cmap='Blues' if column < heads else 'Oranges')
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(f'{int(kept.nansum())}', fontsize=7, labelpad=1)
            if layer == 0:
                axis.set_title(f'head {column}' if column < heads else 'GELU', fontsize=8)
            if column == 0:
                axis.set_ylabel(f'layer {layer}', fontsize=8)
    figure.suptitle('\n'.join(['Kept exact (dark), by token position', *textwrap.wrap(title, 20 * (heads + 1))]), fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_frontier(points: list[dict], path: Path) -> None:
    """Validation accuracy against kept softmax rows, one colour a method; `points` as `frontier.frontier_points` makes them. PNG."""
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    most = max((p['softmax'] for p in points), default=0)
    for method in dict.fromkeys(p['method'] for p in points):
        chosen = sorted((p for p in points if p['method'] == method), key=lambda p: p['softmax'])
        axis.plot([p['softmax'] for p in chosen], [100 * p['validation'] for p in chosen], marker='o')
        for p in chosen:
            label = f"{method}, {p['gelu']} GELU tokens"
            left = p['softmax'] > most / 2  # where the right has no room
            axis.annotate(
                label, (p['softmax'], 100 * p['validation']), fontsize=7, xytext=(-6 if left else 6, 0), textcoords='offset points',
                ha='right' if left else 'left', va='center',
            )  # fmt: skip
    axis.set_xlabel('softmax rows kept exact')
    axis.set_ylabel('validation top-1, %')
    axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def plot_recorded(points: list[dict], path: Path) -> None:
    """Accuracy against each of `frontier.COSTS`, one colour a method, a line through what nothing cheaper of the method reaches; points as
    `frontier.recorded_points` reads them. PNG."""
    figure, axes = plt.subplots(1, len(COSTS), figsize=(3.3 * len(COSTS), 3.6), sharey=True, squeeze=False)
    for axis, (cost, (words, factor)) in zip(axes[0], COSTS.items()):
        for method in dict.fromkeys(p['method'] for p in points):
            own = [p for p in points if p['method'] == method]
            best = undominated(own, cost)
            (line,) = axis.plot([factor * p[cost] for p in best], [100 * p['accuracy'] for p in best], label=method)
            axis.scatter([factor * p[cost] for p in own], [100 * p['accuracy'] for p in own], s=16, color=line.get_color())
        axis.set_xlabel(words)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel('held-out top-1, %')
    axes[0][-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
