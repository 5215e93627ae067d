"""Options: dataclasses of numbers and strings, whose fields are the command line's options."""
from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import field, fields
from typing import Any


def option(default: Any, help: str, choices: Sequence[str] | None = None) -> Any:
    """A dataclass field with what the command line says of it."""
    return field(default=default, metadata={'help': help, 'choices': choices})


def add_options(parser: argparse.ArgumentParser, cls: type) -> None:
    """One command-line option per field of a dataclass."""
    group = parser.add_argument_group(cls.__name__)
    for f in fields(cls):
        help = '; '.join(filter(None, (f.metadata.get('help'), f'default {f.default}')))
        group.add_argument(
            '--' + f.name.replace('_', '-'), type=type(f.default), default=f.default, help=help, choices=f.metadata.get('choices')
        )  # fmt: skip


def read_options(arguments: argparse.Namespace, cls: type):
    return cls(**{f.name: getattr(arguments, f.name) for f in fields(cls)})


def check_at_least_one(options: Any, *names: str) -> None:
    """Raises ValueError when one of these fields is 0 or negative."""
    for name in names:
        if getattr(options, name) < 1:
            raise ValueError(f'{name}: expected at least 1, got {getattr(options, name)}')
