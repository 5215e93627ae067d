"""Other people's checkpoints as this project's network: timm's and Hugging Face's names, every common kind of file.

`import_checkpoint` reads a file or a folder. What the tensors cannot tell (heads, epsilon, activation, normalisation,
resizing) comes from an option, from the configuration beside the file, or from a rule of the library that the file is
from, in this order, and says which (`facts.py`). Without any of them the import is refused: nothing is guessed in silence.
So is a configuration that says what is not known here.

A new format is one file, with the functions of `Format`, and a line in FORMATS.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from ..model import VisionTransformer
from . import huggingface, timm
from .canonical import canonical
from .errors import ImportProblem
from .facts import Fact, Facts, known
from .files import Files, read_files

__all__ = ['Fact', 'Facts', 'ImportProblem', 'Imported', 'import_checkpoint']

Tensors = dict[str, Tensor]


class Format(Protocol):
    """A library's way to write a vision transformer down."""

    TITLE: str

    def matches(self, names: set[str]) -> bool:
        """Whether these are the names of its tensors."""

    def rename(self, tensors: Tensors) -> Tensors:
        """The same tensors by timm's names. Raises ImportProblem for a feature that cannot be had, by its name."""

    def facts(self, files: Files, tensors: Tensors) -> list[Facts]:
        """What its configuration files say, and its library's own rules, the surer first."""


FORMATS: tuple[Format, ...] = (huggingface, timm)


@dataclass(frozen=True)
class Imported:
    """model: in evaluation mode, float32. facts: what the tensors do not tell, each with its source. origin: of the file, in words."""

    model: VisionTransformer
    facts: Facts
    origin: str
    labels: list[str] | None


def import_checkpoint(path: Path, options: dict[str, Any] | None = None) -> Imported:
    """Read the checkpoint at `path`, a file or a folder.

    options: facts that the caller knows better, by the names of facts.NAMES. Raises ImportProblem with one sentence that
    says what is wrong and what to do.
    """
    files = read_files(Path(path))
    tensors = files.tensors
    names = set(tensors)
    found = next((f for f in FORMATS if f.matches(names)), None)
    if found is None:
        some = ', '.join(sorted(names)[:3])
        raise ImportProblem(f'{files.name}: expected the tensors of a vision transformer in timm\'s or Hugging Face\'s names, got {some}, …')
    given = Facts({name: Fact(value, f'--{name.replace("_", "-")}') for name, value in (options or {}).items() if value is not None})
    renamed = found.rename(tensors)
    facts = known([given, *found.facts(files, renamed)])
    model, facts = canonical(files.name, renamed, facts)
    return Imported(model.eval(), facts, f"{files.name}, {found.TITLE}'s names", files.labels)
