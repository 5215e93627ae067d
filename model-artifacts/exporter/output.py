"""The folder that an artifact is written to: which of its files are the artifact's, and which folders are not for writing to."""
from __future__ import annotations

import json
import os
from pathlib import Path

from .artifact import FORMAT, PUBLIC_PART
from .errors import UsageProblem

FILES = ('manifest.json', 'weights.json', 'weights.bin', 'model.onnx', PUBLIC_PART, 'golden.json', 'golden.bin', 'card.md')
"""docs/artifact.md's, without samples/."""


def check_output(out: Path, *inputs: Path) -> None:
    """Before anything is read or computed. inputs: files and folders that will be read, which must not lie in `out`.

    Raises UsageProblem when `out` is neither new, nor empty, nor an artifact, which is replaced, or when it cannot be written to.
    """
    place = out.resolve()
    for path in inputs:
        if place in (path.resolve(), *path.resolve().parents):
            raise UsageProblem(f'--out {out}: {path}, which is read, lies there: name another folder')
    existing = next(p for p in (place, *place.parents) if p.exists())
    if not existing.is_dir():
        raise UsageProblem(f'--out {out}: {existing} is a file: name a new or an empty folder')
    _check_writable(out, existing)
    if place.exists():
        if any(not p.name.startswith('.') for p in place.iterdir()) and not is_artifact(place):
            raise UsageProblem(f'--out {out}: neither empty nor an artifact, which would be replaced: name a new or an empty folder')
        for name in (*FILES, 'samples', 'samples/samples.json'):
            part = place / name
            if part.exists():
                if part.is_dir() != (name == 'samples'):
                    raise UsageProblem(f'--out {out}: {part} is {"a folder" if part.is_dir() else "a file"}: move it away')
                _check_writable(out, part)


def _check_writable(out: Path, path: Path) -> None:
    if not os.access(path, os.W_OK | os.X_OK if path.is_dir() else os.W_OK):
        raise UsageProblem(f'--out {out}: {path} is not writable: name another folder')


def is_artifact(folder: Path) -> bool:
    """Whether its manifest.json is one, in short."""
    try:
        manifest = json.loads((folder / 'manifest.json').read_text('utf-8'))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get('format') == FORMAT


def artifact_files(folder: Path) -> list[Path]:
    """Those of the artifact in it, and no other: manifest.json first, the others by their paths."""
    files = [folder / name for name in FILES] + sample_files(folder)
    return sorted((p for p in files if p.is_file()), key=lambda p: (p.name != 'manifest.json', p.as_posix()))


def sample_files(folder: Path) -> list[Path]:
    """samples/samples.json and those that it lists, which may be somebody else's list: none outside samples/, none that is not there."""
    index = folder / 'samples/samples.json'
    try:
        names = [str(entry['file']) for entry in json.loads(index.read_text('utf-8'))]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    listed = {index.parent / name for name in names if Path(name).name == name} - {index}
    return [index, *sorted(p for p in listed if p.is_file())]
