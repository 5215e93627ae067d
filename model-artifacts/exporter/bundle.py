"""model.blindsight: an artifact's folder as one file, to drop into the owner's tab. A zip whose members are the folder's files by their paths."""
from __future__ import annotations

import zipfile
from pathlib import Path

SUFFIX = '.blindsight'


def write_bundle(folder: Path) -> Path:
    """Beside the folder, NAME.blindsight: manifest.json comes first. Weights are stored (they do not shrink), text is deflated."""
    out = folder.parent / f'{folder.name}{SUFFIX}'
    files = sorted((p for p in folder.rglob('*') if p.is_file()), key=lambda p: (p.name != 'manifest.json', p.as_posix()))
    with zipfile.ZipFile(out, 'w') as archive:
        for file in files:
            # A fixed time: the same artifact gives the same bytes.
            info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if file.suffix in ('.json', '.md') else zipfile.ZIP_STORED
            archive.writestr(info, file.read_bytes())
    return out
