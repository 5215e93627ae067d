"""`python -m privit COMMAND`: most options are fields of an options class."""
from __future__ import annotations

import argparse
import sys

import torch

from .commands import artifacts, pretrained, reports, students, teachers, training

GROUPS = training, teachers, pretrained, students, reports, artifacts


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ['export']:  # its options are the exporter's own
        return artifacts.export_main(argv[1:])
    parser = argparse.ArgumentParser(prog='privit', description='Train, Taylorize and export private vision transformers.')
    commands = parser.add_subparsers(required=True)
    for group in GROUPS:
        group.register(commands)
    arguments = parser.parse_args(argv)
    torch.manual_seed(getattr(arguments, 'seed', 0))  # of fresh networks, the same on every process
    arguments.run_command(arguments)
