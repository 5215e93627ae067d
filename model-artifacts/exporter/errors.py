"""The errors that a command ends with in one sentence."""
from __future__ import annotations


class ExportError(ValueError):
    """A tensor exceeds what the fixed-point plan can hold: names the tensor, what was observed, and the limit."""

    def __init__(self, tensor: str, observed: str, limit: str) -> None:
        super().__init__(f'{tensor}: observed {observed}, limit {limit}')
        self.tensor = tensor


class UsageProblem(ValueError):
    """What is wrong with a command's options, and what to do, in a sentence."""


def check_number(option: str, value: float | None, low: float, high: float | None = None) -> None:
    """Raises UsageProblem for what is not within low..high, both included; None is an option that was not given."""
    if value is not None and not (low <= value and (high is None or value <= high)):
        raise UsageProblem(f'{option} {value}: expected {low} or more' if high is None else f'{option} {value}: expected {low} to {high}')
