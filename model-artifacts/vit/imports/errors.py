"""The one error that an import ends with."""
from __future__ import annotations


class ImportProblem(ValueError):
    """What is wrong with a checkpoint, and what to do, in a sentence."""
