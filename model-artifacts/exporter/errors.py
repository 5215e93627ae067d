"""The one error that an export ends with when a model does not fit."""
from __future__ import annotations


class ExportError(ValueError):
    """A tensor exceeds what the fixed-point plan can hold: names the tensor, what was observed, and the limit."""

    def __init__(self, tensor: str, observed: str, limit: str) -> None:
        super().__init__(f'{tensor}: observed {observed}, limit {limit}')
        self.tensor = tensor
