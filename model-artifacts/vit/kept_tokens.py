"""Fewer tokens behind a block, at places that are the same for every image: what attention costs falls with the square of what is left.

The block itself computes keys and values of all tokens that enter it, and everything else of those that go on alone, so what it drops is read
once more (`model.py`, kept_tokens). Neighbouring patches of a photograph say much the same: every second one is left out.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from .model import SwitchTensors, VisionTransformer, ViTConfig, computed

PATTERNS: dict[str, Callable[[int, int], bool]] = {
    'checkerboard': lambda row, column: (row + column) % 2 == 0,
    'quarter': lambda row, column: row % 2 == 0 and column % 2 == 0,
}
"""Which patches go on, by their row and column: every second one; one of each 2 x 2."""

Place = tuple[int, str]
"""A block, and which of PATTERNS goes on behind it."""


def read_place(text: str) -> Place:
    """`2:checkerboard`. Raises ValueError for anything else."""
    block, _, pattern = text.partition(':')
    if not block.isdecimal() or pattern not in PATTERNS:
        raise ValueError(f'expected BLOCK:PATTERN with one of {", ".join(PATTERNS)}, such as 2:checkerboard, got {text!r}')
    return int(block), pattern


def with_kept_tokens(config: ViTConfig, places: Sequence[Place]) -> ViTConfig:
    """The same network, in which fewer tokens go on behind these blocks, ascending, and behind those that already keep fewer. Class token and
    registers stay. Raises ValueError when a pattern drops nothing, or everything."""
    columns = config.width // config.patch_size
    there = config.tokens_behind(config.depth - 1, only_pooled=False)
    kept = list(config.kept_tokens)
    for block, name in places:
        stays = PATTERNS[name]
        there = tuple(token for token in there if token < config.prefix_tokens or stays(*divmod(token - config.prefix_tokens, columns)))
        kept.append((block, there))
    return replace(config, kept_tokens=tuple(kept))


def drop_tokens(model: VisionTransformer, switches: SwitchTensors, places: Sequence[Place]) -> tuple[VisionTransformer, SwitchTensors]:
    """The same weights in such a network, and the switches of what it still computes. Train it on afterwards."""
    fewer = VisionTransformer(with_kept_tokens(model.config, places))
    fewer.load_state_dict(model.state_dict())
    softmax, gelu = (switch * there for switch, there in zip(switches, computed(fewer.config)))
    return fewer.eval(), (softmax, gelu)
