"""The folder that an artifact is written to: which of its files are the artifact's, which folders are not for writing to, and how it is written as
a whole or not at all."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .artifact import FORMAT, PUBLIC_PART
from .errors import UsageProblem

FILES = ('manifest.json', 'weights.json', 'weights.bin', 'model.onnx', PUBLIC_PART, 'golden.json', 'golden.bin', 'card.md')
"""docs/artifact.md's, without samples/."""
PARTIAL = '.partial'
"""End of the name of what is being written; it begins with a dot, too."""


def check_outside(option: str, out: Path, *searched: Path) -> None:
    """Raises UsageProblem when `out` lies in one of these folders, whose pictures are looked for at any depth: the next command would take an
    artifact's samples, which were held out, for pictures."""
    for path in searched:
        if path.resolve() in (out.resolve(), *out.resolve().parents):
            raise UsageProblem(f'{option} {out}: lies in {path}, whose pictures are read, at any depth: name a folder outside')


def check_output(out: Path, *inputs: Path, searched: tuple[Path, ...] = ()) -> None:
    """Before anything is read or computed. inputs: files and folders that will be read, which must not lie in `out`. searched: as for
    `check_outside`, and inputs.

    Raises UsageProblem when `out` is neither new, nor empty, nor an artifact, which is replaced, or when it cannot be written to.
    """
    place = out.resolve()
    check_outside('--out', out, *(path for path in searched if path.resolve() != place))
    for path in (*inputs, *searched):
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


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A folder to write an artifact to, which is then put to `out`; `check_output` has let it pass. Until then `out` is as it was, and so it
    stays when anything goes wrong; no trace is left, or, of a process that was killed, one that the next removes.

    A new folder comes as a whole. In one that is there only the artifact's files are replaced, or added, one by one: the manifest first, so that
    the folder is an artifact's whenever this is interrupted.
    """
    place = out.resolve()
    made = [p for p in (place, *place.parents) if not p.exists()]
    new = place.parent / f'.{place.name}{PARTIAL}' if made else place / f'.artifact{PARTIAL}'
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        if made:
            os.rename(new, place)
        else:
            _replace(place, new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        for parent in made[1:]:
            with suppress(OSError):  # somebody else's, by now
                parent.rmdir()
        raise


def _replace(place: Path, new: Path) -> None:
    """The artifact in `place` by the one in `new`, which is empty folders afterwards, and removed."""
    old = {path.relative_to(place) for path in artifact_files(place)}
    first, last = Path('manifest.json'), Path('samples/samples.json')  # the list names no sample that is not there
    files = sorted((p.relative_to(new) for p in new.rglob('*') if p.is_file()), key=lambda p: (p != first, p == last, p))
    for file in files:
        (place / file).parent.mkdir(exist_ok=True)
        os.replace(new / file, place / file)
    for file in old - {*files}:
        (place / file).unlink(missing_ok=True)
    shutil.rmtree(new)


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
