"""What a checkpoint's tensors do not tell, and who said it."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import ImportProblem

NAMES = {
    'heads': 'attention heads: the shape of a weight is the same for any number of them',
    'epsilon': "LayerNorm's epsilon",
    'activation': "the MLP's activation",
    'image_size': 'height and width in pixels',
    'pool': 'what the classifier reads: class (token), mean (of patches, then the norm), norm-mean (the norm, then the mean)',
    'mean': "the input's mean, of colours in 0..1",
    'std': "the input's standard deviation, of colours in 0..1",
    'interpolation': 'bilinear or bicubic',
    'shorter_side': 'pixels to which the shorter side is resized before the centre is taken',
    'keep_after': 'blocks, counted from 0, behind which fewer tokens go on, and which (vit/kept_tokens.py), such as 2:checkerboard',
    'fit': 'crop (the centre, after resizing the shorter side) or squash (the whole picture, resized to the exact size)',
}


@dataclass(frozen=True)
class Fact:
    """A value and its source: an option, a file, or a library's rule. problem: what is wrong with it, in words; then nothing can be made of it."""

    value: Any
    source: str
    problem: str = ''


class Facts(dict[str, Fact]):
    """By the names of NAMES."""

    def value(self, name: str) -> Any:
        """Raises ImportProblem when nobody said it, naming the option."""
        self.require(name)
        return self[name].value

    def require(self, *names: str) -> None:
        """Raises ImportProblem when nobody said one of them, naming the options of all that are missing: nobody is asked twice."""
        missing = [name for name in names if name not in self]
        if missing:
            unknown = ', '.join(f'{name} unknown ({NAMES[name]})' for name in missing)
            options = ', '.join(f'--{name.replace("_", "-")}' for name in missing)
            raise ImportProblem(f'{unknown}: no config.json beside the checkpoint says it: expected {options}')

    def table(self) -> str:
        """A line each: name, value, source."""
        return '\n'.join(f'  {name:14} {_text(self[name].value):24} {self[name].source}' for name in NAMES if name in self)


def known(sources: Iterable[Facts]) -> Facts:
    """The first that says it is believed. Raises ImportProblem when that one has a problem: what is there and not understood is not passed over."""
    out = Facts()
    for source in sources:
        for name, fact in source.items():
            if name not in NAMES:
                raise TypeError(f'fact: expected one of {[*NAMES]}, got {name}')
            out.setdefault(name, fact)
    wrong = next((name for name in out if out[name].problem), None)
    if wrong:
        raise ImportProblem(f'{out[wrong].source}: {out[wrong].problem} (--{wrong.replace("_", "-")} is believed before it)')
    return out


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ' '.join(map(_text, value))
    return f'{value:g}' if isinstance(value, float) else str(value)
