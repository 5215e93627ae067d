"""model.blindsight: an artifact as one file, to drop into the owner's tab. A zip whose members are the artifact's files by their paths."""
from __future__ import annotations

import os
import zipfile
from pathlib import Path

from .errors import UsageProblem
from .output import PARTIAL, artifact_files

SUFFIX = '.blindsight'
FIRST = b'manifest.json'
NAME_OFFSET = 30
"""Bytes of a zip member's header before its name."""


def bundle_path(folder: Path) -> Path:
    """Beside the folder: NAME.blindsight."""
    folder = folder.resolve()
    return folder.parent / f'{folder.name}{SUFFIX}'


def check_bundle(folder: Path, *inputs: Path) -> None:
    """Before anything is read or computed. Raises UsageProblem when the bundle cannot be written, or would replace something else than a
    bundle, or one of `inputs`."""
    path = bundle_path(folder)
    if any(path == p.resolve() for p in inputs):
        raise UsageProblem(f'--out {folder}: {path.name}, which is read, would be replaced: name another folder')
    if path.exists() and not _is_bundle(path):
        raise UsageProblem(f'--out {folder}: {path} would be replaced, and is no bundle of a model: move it away')
    parent = next(p for p in path.parents if p.exists())
    for existing in (path, parent) if path.exists() else (parent,):
        if not os.access(existing, os.W_OK):
            raise UsageProblem(f'--out {folder}: {existing} is not writable, and {path.name} comes there: name another folder')


def _is_bundle(path: Path) -> bool:
    """By the first member's name."""
    if not path.is_file():
        return False
    with path.open('rb') as file:
        start = file.read(NAME_OFFSET + len(FIRST))
    return start.startswith(b'PK\3\4') and start.endswith(FIRST)


def write_bundle(folder: Path) -> Path:
    """bundle_path(folder), of the artifact's files and no others that lie there, whole or not at all. Weights are stored (they do not shrink),
    text is deflated."""
    out = bundle_path(folder)
    new = out.with_name(f'.{out.name}{PARTIAL}')
    try:
        with zipfile.ZipFile(new, 'w') as archive:
            for file in artifact_files(folder):
                # A fixed time: the same artifact gives the same bytes.
                info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (2020, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED if file.suffix in ('.json', '.md') else zipfile.ZIP_STORED
                archive.writestr(info, file.read_bytes())
        os.replace(new, out)
    finally:
        new.unlink(missing_ok=True)
    return out
