"""The integer plan (docs/artifact.md) in numpy, for batches of images: an oracle for the TypeScript reference.

Written from docs/artifact.md, and it reads only what an artifact's files hold. Integers travel as int64; matrix products go through
float64, which is exact as long as sums stay below 2^53 (asserted). A truncation by f bits is floor((x + 2^(f−1)) / 2^f); functions are
evaluated exactly at the scale that their tables have before truncation.
"""
from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .artifact import PUBLIC_PART
from .errors import ExportError
from .fields import MORE_SQUARE_BITS, SQUARES_PRIME, field_turn
from .folding import Array, by_position, ceil_log2
from .forward import Observer, activation, join_heads, patches, split_heads
from .harmonics import LOWEST, Harmonics, read_harmonics
from .quantise import activation_tables, head_input_frac_bits
from .runtime import run_onnx
from .splines import Domain, coefficients


@dataclass
class Violations:
    """Values outside the range that their ring or domain allows for: (numbers of the images, largest value, limits) by tensor."""

    by_tensor: dict[str, tuple[frozenset[int], float, float, float]] = field(default_factory=dict)

    @property
    def images(self) -> frozenset[int]:
        """Numbers of the images that have such a value in any tensor."""
        return frozenset().union(*(images for images, *_ in self.by_tensor.values()))

    def note(self, tensor: str, images: Iterable[int], worst: float, low: float, high: float) -> None:
        before = self.by_tensor.get(tensor, (frozenset(), 0.0, low, high))
        self.by_tensor[tensor] = (before[0].union(images), max(before[1], worst, key=abs), low, high)

    def raise_first(self) -> None:
        for tensor, (_, worst, low, high) in self.by_tensor.items():
            raise ExportError(tensor, f'{worst:.6g}', f'[{low:.6g}, {high:.6g})')


def read_weights(folder: Path, stored: bool = False) -> dict[str, Array]:
    """Tensors of weights.json and weights.bin, as int64, or as they are stored."""
    data = (folder / 'weights.bin').read_bytes()
    tensors = {}
    for entry in json.loads((folder / 'weights.json').read_text())['tensors']:
        kind = {'int16': '<i2', 'int32': '<i4'}[entry['dtype']]
        flat = np.frombuffer(data, kind, int(np.prod(entry['shape'])), entry['offset'])
        tensors[entry['name']] = flat.reshape(entry['shape']).astype(entry['dtype'] if stored else np.int64)
    return tensors


ERFC = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)


def gelu_of_the_plan(x: Array) -> Array:
    """x·Φ(x) with erfc by the Chebyshev fit of Numerical Recipes, §6.2, to 1.2e-7: what the plan's tables hold (protocols/layers/gelu.ts).
    The last unit of a result hangs on it."""
    z = np.abs(x / 2**0.5)
    t = 2 / (2 + z)
    exponent = np.zeros_like(t)
    for coefficient in reversed(ERFC):
        exponent = exponent * t + coefficient
    complement = t * np.exp(-z * z + exponent)
    return 0.5 * x * (1 + np.where(x >= 0, 1 - complement, complement - 1))


def read_domain(spec: dict) -> Domain:
    return Domain(spec['minimum'], spec['rangeBits'], spec['digitBits'])


def table_frac_bits(spec: dict) -> int:
    """Of a table's results before truncation."""
    return spec['coefficientFracBits'] + spec['basisFracBits']


def fits_untruncated(reciprocal: dict, frac_bits: int) -> bool:
    """Whether a mean with so many fraction bits fits signed words over all of the reciprocal's domain (protocols/layers/softmax.ts)."""
    return reciprocal['rangeBits'] + frac_bits <= 31 and read_domain(reciprocal).top * 2.0**frac_bits <= 2.0**31


def last_reciprocal(attn: dict) -> dict:
    """Of a block's softmax."""
    return [attn, *attn.get('squarings', [])][-1]['reciprocal']


def finer_levels(spec: dict) -> list[tuple[dict, Domain, bool]]:
    """Of a spline's levels but the coarsest, from coarse to fine: its spec, its comparison's domain, and whether it serves all that lies below."""
    coarsest, levels, level = read_domain(spec), [], spec.get('fine')
    while level:
        boundary = Domain(coarsest.minimum, coarsest.range_bits, level.get('boundaryBits', coarsest.digit_bits))
        levels.append((level, boundary, level['minimum'] <= coarsest.lowest))
        level = level.get('fine')
    return levels


def served(x: Array, frac_bits: int, spec: dict) -> Iterator[tuple[dict, Array]]:
    """Of a spline's levels but the coarsest, from coarse to fine: its spec, and which arguments it serves if no finer one does."""
    for level, boundary, is_lowest in finer_levels(spec):
        finer = read_domain(level)
        begins = np.maximum(boundary.wrap(x, frac_bits) - boundary.width / 2, boundary.minimum)
        yield level, (begins >= (boundary.minimum if is_lowest else finer.lowest)) & (begins <= finer.top - boundary.width)


def lowest_argument(spec: dict) -> float:
    """Of all levels (protocols/layers/spline.ts)."""
    levels = finer_levels(spec)
    begins = levels[-1][0] if levels and levels[-1][2] else spec
    return max(read_domain(begins).lowest, *(boundary.lowest for _, boundary, _ in levels), -math.inf)


def multiply(x: Array, y: Array) -> Array:
    """Exact integer matrix product of int64 arrays (broadcast over leading axes)."""
    if x.size and y.size:
        bound = float(np.abs(x).max()) * float(np.abs(y).max()) * x.shape[-1]
        # The worst case over signs is far above what sums reach; only a real sum of 2^53 would be inexact.
        assert bound < 2.0**60, 'operands too large for an exact product'
    out = x.astype(np.float64) @ y.astype(np.float64)
    assert not out.size or np.abs(out).max() < 2.0**53
    return out.astype(np.int64)


def tokens_behind(architecture: dict, block: int) -> list[int]:
    """Places in the image, ascending, of the tokens that go on behind a block; of block -1 all that enter the first."""
    if architecture.get('pool') == 'class' and block == architecture['depth'] - 1:
        return [0]
    kept = [entry['tokens'] for entry in architecture.get('keptTokens', []) if entry['block'] <= block]
    return kept[-1] if kept else [*range(architecture['tokens'])]


class Simulation:
    """An artifact's integer model.

    `violations` collects what left its range; the secure protocol would give a wrong result there, and so the caller decides.
    noise: None for the plan itself; with a generator, what two-party execution adds to it: tables with rounded entries at random
    offsets of their intervals, and truncations that round stochastically. public_part: the ONNX file of a manifest that has one.
    """

    def __init__(self, manifest: dict, weights: dict[str, Array], noise: np.random.Generator | None = None, public_part: Path | None = None) -> None:
        self.manifest, self.weights, self.public_part = manifest, weights, public_part
        self.public_blocks = manifest['publicPart']['blocks'] if 'publicPart' in manifest else None
        self.fixed = manifest['fixedPoint']
        self.architecture = manifest['architecture']
        self.prefix, depth = self.architecture.get('prefixTokens', 0), self.architecture['depth']
        self.pool = self.architecture.get('pool', 'mean')
        self.there = [tokens_behind(self.architecture, block) for block in range(-1, depth)]  # before each block, and behind the last
        self.patches = sum(place >= self.prefix for place in self.there[-1])
        self.log_patches = ceil_log2(self.patches)
        name = self.architecture.get('activation', 'gelu')
        self.activation = gelu_of_the_plan if name == 'gelu' else activation(name)
        self.violations = Violations()
        self.seen = 0  # images of earlier runs: their numbers go on from batch to batch
        self.noise = noise

    @classmethod
    def load(cls, folder: Path, noise: np.random.Generator | None = None) -> Simulation:
        folder = Path(folder)
        return cls(json.loads((folder / 'manifest.json').read_text('utf-8')), read_weights(folder), noise, folder / PUBLIC_PART)

    def run(self, images: Array, observe: Observer = lambda name, value: None) -> Array:
        """Logits (B, classes) as real numbers (integers·2^-fracBits), for uint8 images (B, H, W, 3).

        observe: called with docs/artifact.md's golden points as real numbers.
        """
        fixed = self.fixed

        def see(name: str, value: Array, frac_bits: int) -> None:
            observe(name, value * 2.0**-frac_bits)

        x, stream = self.embedded(images, see) if self.public_blocks is None else self.computed_in_public(images)
        for i, block in enumerate(fixed['blocks']):
            if i < (self.public_blocks or 0):
                continue
            name = f'blocks.{i}'
            if 'residual' in block:
                coarser = block['residual']
                if coarser['fracBits'] < stream:
                    x = self.truncate(f'{name}.residual', x, stream, coarser['magnitudeBits'], coarser['fracBits'])
                stream = coarser['fracBits']
            y, held = self.normalised(f'{name}.norm1', x, stream, block.get('norm1'), see)
            x = x[:, self.go_on(i)]
            x = x + self.attention(i, y, held, x, block, stream, see)
            if 'mlp' in block:
                see(f'{name}.attn.residual', x, stream)
                y, held = self.normalised(f'{name}.norm2', x, stream, block.get('norm2'), see)
                x = x + self.mlp(i, y, held, block, stream)
            see(f'{name}.mlp.residual', x, stream)
        y, _ = self.pooled(x, stream, see)
        logits = self.linear('head', y)
        self.check('head', logits, 2.0 ** (self.logit_frac_bits + fixed['head']['magnitudeBits']))
        self.seen += len(images)
        see('logits', logits, self.logit_frac_bits)
        return logits * 2.0**-self.logit_frac_bits

    @property
    def logit_frac_bits(self) -> int:
        return head_input_frac_bits(self.fixed, self.pool) + self.fixed['head']['weightFracBits']

    def embedded(self, images: Array, see) -> tuple[Array, int]:
        """(the residual stream before the first block, its fraction bits); step 1."""
        x = patches(images, self.manifest['architecture']['patchSize']).astype(np.int64)
        see('input', x, 0)
        stream = self.fixed['residual']['fracBits']
        embed = self.fixed['patchEmbed']
        x = self.truncate('patch_embed', self.linear('patch_embed', x), embed['weightFracBits'], embed['magnitudeBits'], stream)
        if self.prefix:
            x = np.concatenate([np.broadcast_to(self.weights['prefix'], (len(x), *self.weights['prefix'].shape)), x], 1)
        see('patch_embed', x, stream)
        return x, stream

    def computed_in_public(self, images: Array) -> tuple[Array, int]:
        """The same before the first private block, from the client's float run."""
        assert self.public_part is not None and self.public_blocks is not None
        held = [block['residual'] for block in self.fixed['blocks'][: self.public_blocks + 1] if 'residual' in block]
        stream = (held[-1] if held else self.fixed['residual'])['fracBits']
        limit = 2 ** (stream + self.fixed['residual']['magnitudeBits']) - 1
        x = np.floor(run_onnx(self.public_part, images).astype(np.float64) * 2.0**stream + 0.5)
        return np.clip(x, -limit, limit).astype(np.int64), stream

    def go_on(self, block: int) -> list[int]:
        """Which of the tokens that enter a block do."""
        return [i for i, place in enumerate(self.there[block]) if place in self.there[block + 1]]

    def chosen(self, block: int, places: list[int]) -> Array:
        """bool (queries,): which of the tokens that go on behind a block are at these places of the image."""
        return np.isin(self.there[block + 1], places)

    def pooled(self, x: Array, stream: int, see) -> tuple[Array, int]:
        """(what the head reads, (B, D), its fraction bits); step 6."""
        pool, norm = self.fixed['pool'], self.fixed.get('fcNorm')
        if self.pool == 'class':
            see('pool', x[:, 0], stream)
            return self.normalised('fc_norm', x[:, 0], stream, norm, see)
        x, held = x[:, x.shape[1] - self.patches :], stream
        if self.pool == 'norm-mean':
            x, held = self.normalised('fc_norm', x, held, norm, see)
        y = self.truncate('pool', x.sum(1), held + self.log_patches, pool['magnitudeBits'], pool['fracBits'])
        see('pool', y, pool['fracBits'])
        return (y, pool['fracBits']) if self.pool == 'norm-mean' else self.normalised('fc_norm', y, pool['fracBits'], norm, see)

    def normalised(self, name: str, x: Array, frac_bits: int, spec: dict | None, see) -> tuple[Array, int]:
        """(what the next matrix reads, its fraction bits): the stream itself where the norm's scale is constant."""
        if spec is None:
            return x, frac_bits
        y = self.norm(name, x, frac_bits, spec)
        see(name, y, spec['out']['fracBits'])
        return y, spec['out']['fracBits']

    def norm(self, name: str, x: Array, frac_bits: int, spec: dict) -> Array:
        """RMS normalisation over the last axis of x at `frac_bits`; step 2 of the plan."""
        square = np.square(x).sum(-1, keepdims=True)
        square_frac_bits = 2 * frac_bits + ceil_log2(x.shape[-1])
        s = self.function(f'{name}.mean_square', lambda m: 1 / np.sqrt(m + spec['epsilon']), square, square_frac_bits, spec['rsqrt'], is_of_positive=True)
        out = spec['out']
        return self.truncate(name, x * s, frac_bits + spec['rsqrt']['out']['fracBits'], out['magnitudeBits'], out['fracBits'])

    def attention(self, i: int, y: Array, held: int, ahead: Array, block: dict, stream: int, see) -> Array:
        """held: fraction bits of y. ahead: of the residual stream, what goes on behind the block."""
        name, spec = f'blocks.{i}.attn', block['attn']
        dim = y.shape[-1]
        if ahead.shape[1] < y.shape[1]:
            q, units = np.split(self.linear(f'{name}.q', y[:, self.go_on(i)]), [dim], axis=-1)
            qkv = [q, *np.split(self.linear(f'{name}.kv', y), 2, axis=-1)]
        else:
            *qkv, units = np.split(self.linear(f'{name}.qkv', y), [dim, 2 * dim, 3 * dim], axis=-1)
        heads = self.architecture['heads']
        parts = []
        for part, value in zip('qkv', qkv):
            before = held + spec[f'{part}WeightFracBits']
            value = self.truncate(f'{name}.{part}', value, before, spec[part]['magnitudeBits'], spec[part]['fracBits'])
            see(f'{name}.{part}', value, spec[part]['fracBits'])
            parts.append(split_heads(value, heads))
        q, k, v = parts
        scores = multiply(q, k.transpose(0, 1, 3, 2))  # (B, H, queries, T)
        score_frac_bits = spec['q']['fracBits'] + spec['k']['fracBits']
        scores = self.add_by_position(f'{name}.score_bias', scores)
        see(f'{name}.scores', scores, score_frac_bits)
        self.check(f'{name}.scores', scores, 2.0 ** (score_frac_bits + spec['scores']['magnitudeBits']))

        if 'unnormalisedMix' in spec:
            mixed, before = self.mixed_before_division(name, scores, score_frac_bits, v, spec)
        else:
            mixed, before = self.mixed(i, scores, score_frac_bits, v, see)
        mix = spec['mix']
        mixed = self.truncate(f'{name}.mix', mixed, before, mix['magnitudeBits'], mix['fracBits'])
        see(f'{name}.mix', mixed, mix['fracBits'])
        if 'squareUnits' in spec:
            squares = self.square_units(name, units, held, block)
            see(f'{name}.unit_squares', squares, mix['fracBits'])
            mixed = np.concatenate([mixed, squares], -1)
        if 'mlp' not in block:
            mixed = np.concatenate([mixed, ahead], -1)
        before = mix['fracBits'] + spec['projWeightFracBits']
        return self.truncate(f'{name}.proj', self.linear(f'{name}.proj', mixed), before, spec['projMagnitudeBits'], stream)

    def mixed(self, i: int, scores: Array, frac_bits: int, v: Array, see) -> tuple[Array, int]:
        """(attention's weights times the values (B, heads, T, d), heads joined, fraction bits); step 4."""
        name, spec = f'blocks.{i}.attn', self.fixed['blocks'][i]['attn']
        exact = np.stack([self.chosen(i, rows) for rows in self.manifest['switches']['softmaxRows'][i]])
        probabilities = np.empty_like(scores)
        if exact.any():
            probabilities[:, exact] = self.softmax(name, scores[:, exact], frac_bits, spec)
        if not exact.all():
            probabilities[:, ~exact] = self.square(name, scores[:, ~exact], frac_bits, spec)
        p = spec['probabilities']['fracBits']
        probabilities = self.add_by_position(f'{name}.static_mix', probabilities)
        see(f'{name}.probabilities', probabilities, p)
        return join_heads(multiply(probabilities, v)), p + spec['v']['fracBits']

    def mixed_before_division(self, name: str, scores: Array, frac_bits: int, v: Array, spec: dict) -> tuple[Array, int]:
        """The same where the weights' last division is behind the values."""
        B, heads, queries, tokens = scores.shape
        x, r, before = self.unnormalised_softmax(name, scores.reshape(B, -1, tokens), frac_bits, spec)
        sums = multiply(x.reshape(scores.shape), v)
        held = spec['unnormalisedMix']
        sums = self.truncate(f'{name}.unnormalised_mix', sums, before + ceil_log2(tokens) + spec['v']['fracBits'], held['magnitudeBits'], held['fracBits'])
        return join_heads(sums * r.reshape(B, heads, queries, 1)), held['fracBits'] + last_reciprocal(spec)['out']['fracBits']

    def softmax(self, name: str, scores: Array, frac_bits: int, spec: dict) -> Array:
        """Rows (B, rows, T) whose switch kept the softmax; step 3."""
        x, r, held = self.unnormalised_softmax(name, scores, frac_bits, spec)
        before, p = held + ceil_log2(scores.shape[-1]) + last_reciprocal(spec)['out']['fracBits'], spec['probabilities']
        return self.truncate(f'{name}.probabilities', x * r, before, p['magnitudeBits'], p['fracBits'])

    def unnormalised_softmax(self, name: str, scores: Array, frac_bits: int, spec: dict) -> tuple[Array, Array, int]:
        """(weights (B, rows, T) before their last division, 1/mean (B, rows, 1), fraction bits of the weights)."""
        tokens, log_tokens = scores.shape[-1], ceil_log2(scores.shape[-1])
        centred = tokens * scores - scores.sum(-1, keepdims=True)
        exp = spec['exp']
        untruncated, before = self.table_value(f'{name}.exp', np.exp, centred, frac_bits + log_tokens, exp), table_frac_bits(exp)
        squarings = spec.get('squarings', [])
        steps = [('exp', exp['out'], spec['reciprocal'])]
        steps += [(f'squares{j}', squaring['square'], squaring['reciprocal']) for j, squaring in enumerate(squarings)]
        turn = None
        for j, (what, held, reciprocal) in enumerate(steps):
            if turn is None:
                e = self.truncate(f'{name}.{what}', untruncated, before, held['magnitudeBits'], held['fracBits'])
            else:
                e = self.truncate(f'{name}.{what}', untruncated, before, turn - 1, held['fracBits'], LOWEST)
            # The mean of what is not truncated yet, where that fits.
            fits = fits_untruncated(reciprocal, before + log_tokens)
            mean, mean_frac_bits = (untruncated, before) if fits else (e, held['fracBits'])
            last = j == len(squarings)
            r = self.function(
                f'{name}.reciprocal{"" if last else j}', lambda x: 1 / x, mean.sum(-1, keepdims=True), mean_frac_bits + log_tokens, reciprocal,
                is_of_positive=True,
            )  # fmt: skip
            if not last:
                weights = squarings[j]['input']
                product_bits = held['fracBits'] + reciprocal['out']['fracBits']
                w = self.truncate(f'{name}.weights{j}', e * r, product_bits, weights['magnitudeBits'], weights['fracBits'])
                turn = field_turn(squarings[j], log_tokens)
                if turn is None:
                    untruncated, before = np.square(w), 2 * weights['fracBits']
                else:
                    before = squarings[j]['square']['fracBits'] + MORE_SQUARE_BITS
                    untruncated = self.squares_in_field(w, before + turn)
        return e, r, held['fracBits']

    @staticmethod
    def squares_in_field(weights: Array, ring_bits: int) -> Array:
        """On a circle that is as large as the field (protocols/layers/fieldSquare.ts)."""
        return np.floor(np.square(weights) / SQUARES_PRIME * 2.0**ring_bits + 0.5).astype(np.int64)

    def square(self, name: str, scores: Array, frac_bits: int, spec: dict) -> Array:
        """Rows (B, rows, T) whose switch became the square; step 3."""
        s = spec['scores']
        scores = self.truncate(f'{name}.scores', scores, frac_bits, s['magnitudeBits'], s['fracBits'])
        p = spec['probabilities']
        return self.truncate(f'{name}.probabilities', np.square(scores), 2 * s['fracBits'] + ceil_log2(scores.shape[-1]), p['magnitudeBits'], p['fracBits'])

    def square_units(self, name: str, units: Array, held: int, block: dict) -> Array:
        """Squares at the fraction bits of `mix`; step 4."""
        spec = block['attn']['squareUnits']
        before, inside = held + spec['weightFracBits'], spec['input']
        units = self.truncate(f'{name}.square_units', units, before, inside['magnitudeBits'], inside['fracBits'])
        return self.truncate(f'{name}.unit_squares', np.square(units), 2 * inside['fracBits'], spec['outMagnitudeBits'], block['attn']['mix']['fracBits'])

    def mlp(self, i: int, y: Array, held: int, block: dict, stream: int) -> Array:
        name, spec = f'blocks.{i}.mlp', block['mlp']
        exact = self.chosen(i, self.manifest['switches']['geluTokens'][i])
        out = np.empty_like(y)
        if exact.any():
            hidden = self.linear(f'{name}.fc1', y[:, exact])
            tables = activation_tables(spec)
            parts = np.split(hidden, np.cumsum([table.get('units', 0) for table in tables])[:-1], axis=-1)
            frac_bits = held + spec['fc1WeightFracBits']
            activated = np.concatenate([
                self.by_harmonics(f'{name}.gelu', part, frac_bits, table) if 'parts' in table
                else self.function(f'{name}.gelu', self.activation, part, frac_bits, table)
                for part, table in zip(parts, tables)
            ], -1)  # fmt: skip
            before = tables[0]['out']['fracBits'] + spec['fc2WeightFracBits']
            out[:, exact] = self.truncate(f'{name}.fc2', self.linear(f'{name}.fc2', activated), before, spec['fc2MagnitudeBits'], stream)
        if not exact.all():
            before = held + spec['mergedWeightFracBits']
            merged = self.linear(f'{name}.merged', y[:, ~exact])
            out[:, ~exact] = self.truncate(f'{name}.merged', merged, before, spec['mergedMagnitudeBits'], stream)
        return out

    def linear(self, name: str, x: Array) -> Array:
        return multiply(x, self.weights[f'{name}.weight'].T) + self.weights[f'{name}.bias']

    def add_by_position(self, table: str, x: Array) -> Array:
        """x (B, H, T, T) plus a table of relative positions, where the model has it."""
        return x + by_position(self.weights[table], math.isqrt(x.shape[-1])) if table in self.weights else x

    def function(self, name: str, f, x: Array, frac_bits: int, spec: dict, is_of_positive: bool = False) -> Array:
        """f of the argument as the protocol reads it, truncated."""
        out = spec['out']
        value = self.table_value(name, f, x, frac_bits, spec, is_of_positive)
        return self.truncate(name, value, table_frac_bits(spec), out['magnitudeBits'], out['fracBits'])

    def by_harmonics(self, name: str, x: Array, frac_bits: int, spec: dict) -> Array:
        """The activation as x/2 and a trigonometric polynomial (protocols/layers/harmonics.ts), truncated; without noise the function itself
        within its reach, and beyond it the polynomial."""
        reach, chosen = spec['reach'], read_harmonics(spec)
        argument = x * 2.0**-frac_bits
        outside = np.abs(argument) > reach
        value = self.activation(argument)
        if outside.any():
            worst = argument[outside]
            self.violations.note(name, self.numbers(outside), float(worst[np.abs(worst).argmax()]), -reach, reach)
            value[outside] = chosen.evaluate(argument[outside])
        if self.noise is not None:
            exact = self.polynomial(self.noise, x, frac_bits, chosen)
        else:
            exact = np.floor(value * 2.0**chosen.frac_bits + 0.5).astype(np.int64)
        return self.truncate(name, exact, chosen.frac_bits, chosen.magnitude_bits, chosen.out.frac_bits, LOWEST)

    @staticmethod
    def polynomial(noise: np.random.Generator, x: Array, frac_bits: int, chosen: Harmonics) -> Array:
        """The polynomial as the two parties compute it: with a random share of the angle, and roundings of what each makes of its own."""
        drop = frac_bits + 1 - chosen.frac_bits
        half = (x + noise.integers(0, 1 << drop, x.shape)) >> drop if drop > 0 else x << -drop
        clients = noise.random(x.shape) * 2 * np.pi
        owners = x * (2.0**-frac_bits * 2 * np.pi / 2.0**chosen.range_bits) - clients
        p, steps, scale = chosen.field()
        total = np.zeros(x.shape)
        for h in chosen.harmonics:
            for function, sign in ((np.cos, 1), (np.sin, -1)):
                total += np.round(sign * h.amplitude * scale * function(h.k * clients)) * np.round(steps * function(h.k * owners))
        circle = np.round(total / p * 2.0 ** (chosen.frac_bits + chosen.magnitude_bits + 1)).astype(np.int64)
        return half + circle + math.floor(chosen.constant * 2.0**chosen.frac_bits + 0.5)

    def table_value(self, name: str, f, x: Array, frac_bits: int, spec: dict, is_of_positive: bool = False) -> Array:
        """f of the argument as the protocol reads it, at the table's scale. is_of_positive: whether f has a pole at 0."""
        domain, scale = read_domain(spec), spec.get('inputScale', 1.0)
        lowest = lowest_argument(spec)
        argument = x * 2.0**-frac_bits
        outside = (argument < lowest) | (argument >= domain.top)
        if outside.any():
            worst = argument[outside]
            self.violations.note(name, self.numbers(outside), worst[np.abs(worst).argmax()], lowest, domain.top)
            argument[outside] = self.read(x[outside], frac_bits, spec, is_of_positive)
        value = f(argument * scale) if self.noise is None else self.table(self.noise, lambda v: f(v * scale), domain, argument, spec)
        most, out = table_frac_bits(spec), spec['out']['fracBits']
        result = np.floor(value * 2.0**most + 0.5).astype(np.int64)
        if self.noise is None and any(table_frac_bits({**spec, **level}) != most for level, *_ in finer_levels(spec)):
            # Each level is truncated by itself (scalarSpline): the truncation that follows changes nothing any more.
            for level, serves in served(x, frac_bits, spec):
                drop = table_frac_bits({**spec, **level}) - out
                own = np.floor(value * 2.0 ** (out + drop) + 0.5).astype(np.int64)
                result = np.where(serves, ((own + (1 << (drop - 1))) >> drop) << (most - out), result)
        return result

    @staticmethod
    def read(x: Array, frac_bits: int, spec: dict, is_of_positive: bool) -> Array:
        """Arguments out of range as the tables read them (protocols/layers/table.ts): modulo the domain, of several levels that of the one which serves
        them. In the lowest segment, where the sharing decides, as intervals do which begin there; a pole is kept away from."""
        domain = read_domain(spec)
        argument, lowest = domain.wrap(x, frac_bits), np.full(x.shape, domain.lowest)
        for level, serves in served(x, frac_bits, spec):
            finer = read_domain(level)
            argument, lowest = np.where(serves, finer.wrap(x, frac_bits), argument), np.where(serves, finer.lowest, lowest)
        return np.maximum(argument, lowest / 2) if is_of_positive else argument

    @staticmethod
    def table(noise: np.random.Generator, f, domain: Domain, x: Array, spec: dict) -> Array:
        """f as the tables give it: x = start + rest with a random rest below the width, the start modulo the domain; coefficients and powers of
        the rest rounded."""
        c, b = 2.0 ** spec['coefficientFracBits'], 2.0 ** spec['basisFracBits']

        def begin(domain: Domain) -> tuple[Array, Array]:
            rest = noise.random(x.shape) * domain.width
            return domain.minimum + np.mod(x - rest - domain.minimum, 2.0**domain.range_bits), rest

        start, rest = begin(domain)
        if 'degree' not in spec:
            return np.round(f(start) * c) * np.round(f(rest) * b) / (c * b)

        def polynomial(level: dict, domain: Domain, start: Array, rest: Array) -> Array:
            c, b = (2.0 ** level.get(bits, spec[bits]) for bits in ('coefficientFracBits', 'basisFracBits'))
            floor = domain.lowest / 2 if domain.lowest > 0 else -np.inf  # rsqrt and reciprocal have a pole
            terms = coefficients(lambda v: f(np.maximum(v, floor)), domain, start.ravel(), level['degree'])
            powers = (rest / domain.width).reshape(-1, 1) ** np.arange(1, level['degree'] + 1)
            return (terms[:, 0] + (np.round(terms[:, 1:] * c) * np.round(powers * b)).sum(1) / (c * b)).reshape(x.shape)

        with np.errstate(all='ignore'):  # all levels are computed, one is meant
            value = polynomial(spec, domain, start, rest)
            for level, boundary, is_lowest in finer_levels(spec):
                finer = read_domain(level)
                begins, _ = begin(boundary)
                serves = begins <= finer.top - boundary.width
                if not is_lowest:
                    serves &= begins >= finer.lowest
                value = np.where(serves, polynomial(level, finer, *begin(finer)), value)
        return value

    def truncate(self, name: str, x: Array, before: int, magnitude_bits: int, after: int, lowest: float | None = None) -> Array:
        """From `before` to `after` fraction bits, rounding half up. |x| must stay below 2^(before + magnitude_bits) ≤ 2^30; or, where `lowest` is
        given, x in as much from there on."""
        drop = before - after
        if drop < 1:
            raise ExportError(name, f'a truncation from {before} to {after} fraction bits', 'at least one bit dropped')
        if before + magnitude_bits > 30:
            raise ExportError(name, f'{before} fraction bits + {magnitude_bits} magnitude bits', '30')
        if after + magnitude_bits < 0:
            raise ExportError(name, f'{after} fraction bits + {magnitude_bits} magnitude bits after a truncation', 'at least 0')
        if self.check(name, x, 2.0 ** (before + magnitude_bits)):
            x = (x + 2**31) % 2**32 - 2**31  # rings have 32 bits at most
        if self.noise is not None:
            return (x + self.noise.integers(0, 1 << drop, x.shape)) >> drop
        return (x + (1 << (drop - 1))) >> drop

    def check(self, name: str, x: Array, limit: float) -> bool:
        """Whether a value is out of range."""
        outside = np.abs(x) >= limit
        if not outside.any():
            return False
        worst = x[outside]
        self.violations.note(name, self.numbers(outside), float(worst[np.abs(worst).argmax()]), -limit, limit)
        return True

    def numbers(self, outside: Array) -> list[int]:
        """Which images have a value outside (first axis: this batch's images), counted from the first that was ever run."""
        return [self.seen + int(i) for i in np.flatnonzero(outside.reshape(len(outside), -1).any(1))]
