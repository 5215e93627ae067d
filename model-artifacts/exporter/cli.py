"""`python -m exporter import FILE …`, `python -m exporter rounding FOLDER …` and `python -m exporter CHECKPOINT …`."""
from __future__ import annotations

import sys

from .commands import checkpoints, export, rounding

COMMANDS = {'import': checkpoints.main, 'export': export.main, 'rounding': rounding.main}


def main(argv: list[str] | None = None) -> None:
    """The first word is the command; without one it is `export`."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return COMMANDS[argv[0]](argv[1:])
    export.main(argv)
