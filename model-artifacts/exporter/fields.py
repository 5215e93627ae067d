"""Products over prime fields: the numbers of protocols/sharing/field.ts and what protocols/layers/ does with them."""
from __future__ import annotations

FIELDS = (114689, 188417, 417793, 1032193, 1417217, 2056193, 4169729, 8380417, 33538049, 67084289)
SMALL_FIELD = 1417217
"""Up to here a number takes 54 bits of ring-LWE, beyond it 72."""
SQUARES_PRIME, SQUARES_BITS = 1073692673, 30
"""Of attention weights' squares, protocols/layers/fieldSquare.ts."""
MORE_SQUARE_BITS = 2
"""Fraction bits of squares beyond those that they are truncated to."""


def field_turn(squaring: dict, log_tokens: int) -> int | None:
    """Of squares that are taken in a field, the bits of its circle; None where they do not fit it (protocols/layers/softmax.ts)."""
    turn = SQUARES_BITS - 2 * squaring['input']['fracBits']
    return turn if turn > max(squaring['square']['magnitudeBits'], squaring['reciprocal']['rangeBits'] + log_tokens - 1) else None
