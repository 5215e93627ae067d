"""card.md: privit's model card with what fixed point adds to it."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vit.card import licence_note, model_card, tokens_of
from vit.imports import Facts

from .checkpoint import Checkpoint

FIXED_POINT_HEADING = '## Fixed point'


def write_card(
    out: Path, path: Path, checkpoint: Checkpoint, figures: dict[str, Any] | None, calibration: int, evaluations: list[Path], notes: str
) -> None:
    """Write card.md to the artifact's folder. A plain timm state dict has no description of its own: it gets a shorter card."""
    d = checkpoint.description
    if 'validation_accuracy' in d:
        text = model_card(path, evaluations, notes, d['name'])
    else:
        text = f"# {d['name']}\n\nA vision transformer for {d['dataset']}: {d['recipe']}.\n{licence_note(d)}\n"
        text += f'\n{notes}\n' if notes else ''
    (out / 'card.md').write_text(text + fixed_point_section(out, figures, calibration), 'utf-8', 'replace')


def write_imported_card(out: Path, checkpoint: Checkpoint, facts: Facts, figures: dict[str, Any], calibration: int, notes: str) -> None:
    """Write card.md of a checkpoint that was trained elsewhere: what it is, who said so, and what fixed point adds."""
    d, c = checkpoint.description, checkpoint.model.config
    lines = [
        f"# {d['name']}", '', f"A vision transformer for {d['dataset']}, {d['recipe']}.", '',
        '| | |', '|---|---|',
        f'| input | RGB {c.img_size} x {c.width}, {c.patch_size}-pixel patches, {tokens_of(c)} |',
        f'| network | {c.depth} blocks, width {c.embed_dim}, {c.num_heads} heads, {c.num_classes} classes |',
        '', '## What its tensors do not tell', '', '| | | said by |', '|---|---|---|',
        *(f'| {name} | {fact.value} | {fact.source} |' for name, fact in facts.items()),
    ]  # fmt: skip
    lines += ['', notes or "Origin and licence: see where the checkpoint is from.", '']
    (out / 'card.md').write_text('\n'.join(lines) + fixed_point_section(out, figures, calibration), 'utf-8', 'replace')


def fixed_point_section(out: Path, figures: dict[str, Any] | None, calibration: int) -> str:
    """Markdown: scales in short, and the figures of evaluate.py when there are any."""
    manifest = json.loads((out / 'manifest.json').read_text('utf-8'))
    fixed = manifest['fixedPoint']
    size = sum((out / file).stat().st_size for file in ('weights.bin', 'model.onnx')) / 1e6
    lines = [
        '', FIXED_POINT_HEADING, '',
        f'Exported for Z_2^32: weights of 12 bits, residual stream at {fixed["residual"]["fracBits"]} fraction bits, scales and table',
        f'domains from {calibration} training images and some that no photograph looks like. weights.bin and model.onnx: {size:.1f} MB;',
        'model.onnx stores large weights as float16 and computes in float32.',
    ]  # fmt: skip
    if figures:
        lines += [
            '', f'Over {figures["images"]} random test images:', '', '| | |', '|---|---|',
            *(
                f'| top-1, {words} | {100 * figures[key]:.2f} % |'
                for key, words in (('floatTop1', 'float64'), ('onnxTop1', 'ONNX'), ('integerTop1', 'integers')) if key in figures
            ),
            f'| top-1 agreement, integers with float64 | {100 * figures["agreementTop1"]:.2f} % |',
            f'| logit error, integers, largest / RMS | {figures["maxAbsLogitError"]:.4f} / {figures["rmsLogitError"]:.4f} |',
        ]  # fmt: skip
        if 'maxAbsLogitErrorOnnx' in figures:
            lines.append(f'| logit error, ONNX, largest | {figures["maxAbsLogitErrorOnnx"]:.4f} |')
        lines.append(f'| images with a value outside its range | {figures["imagesOutOfRange"]} |')
    return '\n'.join(lines) + '\n'
