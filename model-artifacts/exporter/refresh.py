"""A manifest of an earlier exporter with today's cheapest polynomials and squares, for the same weights, ranges and tables."""
from __future__ import annotations

from .fields import SQUARES_BITS
from .folding import ceil_log2
from .harmonics import choose_harmonics
from .quantise import activation_tables
from .scales import DEFAULT_PRECISION, SQUARED_BITS
from .simulate import tokens_behind


def refresh(manifest: dict) -> None:
    """In place: activations by harmonics of as many terms as their reach needs, and softmax's weights to what the field of their squares holds."""
    a = manifest['architecture']
    stream = manifest['fixedPoint']['residual']['fracBits']
    for i, block in enumerate(manifest['fixedPoint']['blocks']):
        stream = block.get('residual', {'fracBits': stream})['fracBits']
        if mlp := block.get('mlp'):
            input_frac_bits = (block['norm2']['out']['fracBits'] if 'norm2' in block else stream) + mlp['fc1WeightFracBits']
            for spec in activation_tables(mlp):
                if 'parts' not in spec:
                    continue
                function = a.get('activation', 'gelu')
                chosen = choose_harmonics(function, spec['reach'], DEFAULT_PRECISION.gelu_error, input_frac_bits, spec['out']['fracBits'])
                if chosen:
                    spec.update({**chosen.to_json(), 'out': spec['out']})
        log_tokens = ceil_log2(len(tokens_behind(a, i - 1)))
        for squaring in block['attn'].get('squarings', []):
            turn = max(squaring['square']['magnitudeBits'], squaring['reciprocal']['rangeBits'] + log_tokens - 1) + 1
            weights = squaring['input']
            weights['fracBits'] = min(weights['fracBits'], SQUARED_BITS, (SQUARES_BITS - turn) // 2)
