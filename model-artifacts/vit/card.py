"""The model card: what a shipped model is, what it was made from, and how good it is, from the files that its run left."""
from __future__ import annotations

import json
from pathlib import Path

from .checkpoint import load_checkpoint
from .model import ViTConfig, count_on

LICENCE_NOTES = {
    'CIFAR-10 (JPEG)': 'CIFAR-10 carries no formal licence (Krizhevsky, 2009); the images were re-encoded as JPEG, so figures do not compare with lossless CIFAR-10. The distilling CNN started from akamaster/pytorch_resnet_cifar10 (BSD-2-Clause).',
    'Imagenette': "Imagenette's images come from ImageNet, whose terms limit them to research; the distilling CNN (EfficientNet-Lite0) is Apache-2.0.",
}
STARTS = {
    'vit_tiny_patch16_224': "The network started from timm's vit_tiny_patch16_224 (Apache-2.0), which was trained on ImageNet-21k and ImageNet-1k. "
    'Where pictures come from ImageNet, whose terms limit them to research, that training has probably seen many of them, **those of '
    'the figures included**.',
}
"""By a part of the recipe, which names the file."""


def licence_note(description: dict) -> str:
    """Of a checkpoint's description: whose the images and the weights are."""
    for name, note in STARTS.items():
        if name in description.get('recipe', ''):
            return note
    return LICENCE_NOTES.get(description['dataset'], f'See the terms of {description["dataset"]}.')


def tokens_of(config: ViTConfig) -> str:
    """How many, and how many of them go on behind which block, counted from 1."""
    fewer = [f'behind block {block + 1} {len(tokens)} of them go on' for block, tokens in config.kept_tokens]
    return ', '.join([f'{config.num_tokens} tokens', *fewer])


def model_card(checkpoint: Path, evaluations: list[Path], notes: str = '', name: str | None = None) -> str:
    """Markdown. evaluations: JSON files as `privit evaluate` prints them; notes: hours, machine, whatever else is to be said; name: if not
    the checkpoint's own."""
    model, switches, d = load_checkpoint(checkpoint)
    c = model.config
    softmax, gelu = count_on(switches)
    exact = (softmax, gelu) == (c.num_softmax_rows, c.num_gelu_tokens)
    nature = 'with every softmax and GELU exact' if exact else 'Taylorized by PriViT (Dhyani et al., TMLR 2024, arXiv 2310.04604)'
    parameters = sum(p.numel() for p in model.parameters())
    lines = [
        f'# {name or d["name"]}', '',
        f'A vision transformer for {d["dataset"]}, {nature}, for secure two-party inference.', '',
        '| | |', '|---|---|',
        f'| classes | {", ".join(d["labels"])} |',
        f'| input | RGB {c.img_size} x {c.img_size}, {c.patch_size}-pixel patches, {tokens_of(c)}; shorter side resized to {d["resize"]["shorter_side"]}, centre crop, {d["resize"]["interpolation"]} |',
        f'| network | {c.depth} blocks, width {c.embed_dim}, {c.num_heads} heads, {f"{c.square_units} square units a block, " if c.square_units else ""}{parameters / 1e6:.2f} M parameters |',
        f'| softmax rows kept exact | {softmax} of {c.num_softmax_rows} ({100 * softmax / c.num_softmax_rows:.1f} %){"" if exact else "; the others are x^2/n, of n tokens"} |',
        f'| GELU tokens kept exact | {gelu} of {c.num_gelu_tokens} ({100 * gelu / c.num_gelu_tokens:.1f} %){"" if exact else "; the others are the identity"} |',
        f'| recipe | {d["recipe"]} |',
        f'| validation top-1, float | {100 * d["validation_accuracy"]:.2f} % |',
    ]  # fmt: skip
    maxima: dict[str, float] = {}
    for path in evaluations:
        report = json.loads(Path(path).read_text())
        lines.append(f'| {report["split"]} top-1, float | {100 * report["top1"]:.2f} % of {report["images"]} images |')
        for kind, value in report['maxima'].items():
            maxima[kind] = max(value, maxima.get(kind, 0.0))
    if maxima:
        lines += ['', '## Largest magnitudes reached', '', '| tensor | maximum |', '|---|---|', *(f'| {k} | {v:.2f} |' for k, v in maxima.items())]
    if not exact:
        lines += ['', '## Kept softmax rows by layer and head', '', '| layer | ' + ' | '.join(f'head {h}' for h in range(c.num_heads)) + ' | GELU tokens |']
        lines.append('|---' * (c.num_heads + 2) + '|')
        for layer in range(c.depth):
            per_head = [int(n) for n in switches[0][layer].sum(-1)]
            lines.append(f'| {layer} | ' + ' | '.join(map(str, per_head)) + f' | {int(switches[1][layer].sum())} |')
    if notes:
        lines += ['', '## Training', '', notes]
    lines += ['', '## Licence and data', '', licence_note(d)]
    return '\n'.join(lines) + '\n'
