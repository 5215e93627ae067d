"""What an artifact's choices cost online, in short: the bytes that the tables of a manifest bring, by block."""
from __future__ import annotations

from .harmonics import read_harmonics
from .quantise import activation_tables
from .simulate import tokens_behind
from .splines import Spline, norm_result_bits


def table_bytes(spec: dict, result_bits: int = 0) -> float:
    """Of one evaluation: splines.py's and harmonics.py's `online_bits`, from the manifest."""
    if 'parts' in spec:
        return read_harmonics(spec).online_bits() / 8
    return Spline.from_json(spec, result_bits).online_bits() / 8


def norm_bytes(norm: dict, stream: int) -> float:
    """Of one row's 1/√x; stream: fraction bits of what it scales."""
    return table_bytes(norm['rsqrt'], norm_result_bits(stream, norm['rsqrt']['out']['fracBits'], norm['out']['magnitudeBits']))


def choices(manifest: dict) -> list[str]:
    """A line for each block: how its softmax, its norms and its activation are evaluated, and what their tables cost."""
    lines = []
    a, switches, fixed = manifest['architecture'], manifest['switches'], manifest['fixedPoint']
    stream = fixed['residual']['fracBits']
    public = manifest.get('publicPart', {'blocks': 0})['blocks']
    for i, block in enumerate(fixed['blocks']):
        if i < public:
            continue
        stream = block.get('residual', {'fracBits': stream})['fracBits']
        attn, rows, tokens = block['attn'], sum(map(len, switches['softmaxRows'][i])), len(switches['geluTokens'][i])
        squarings = attn.get('squarings', [])
        each = table_bytes(attn['exp'])
        per_row = table_bytes(attn['reciprocal']) + sum(table_bytes(s['reciprocal']) for s in squarings)
        norms = ' + '.join(f'{norm_bytes(block[norm], stream):.0f}' if norm in block else '0' for norm in ('norm1', 'norm2'))
        parts = [f'stream {stream} bits', f'norms {norms} B a row']
        if rows:
            total = rows * (len(tokens_behind(a, i - 1)) * each + per_row) / 1e6
            late = ', divided behind the values' if 'unnormalisedMix' in attn else ''
            parts.append(f'{rows} softmax rows by {len(squarings)} squarings{late}, tables {total:.1f} MB')
        if tokens:
            tables = activation_tables(block['mlp'])
            units = [(t.get('units', a['mlpDim']), table_bytes(t)) for t in tables]
            total = tokens * sum(n * b for n, b in units) / 1e6
            parts.append(f'{tokens} tokens of {" + ".join(f"{n} x {b:.0f} B" for n, b in units)}, {total:.1f} MB')
        lines.append(f'block {i}: ' + '; '.join(parts))
    return lines
