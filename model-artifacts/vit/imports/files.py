"""Tensors and configurations out of the files that people have: safetensors and pickles, whole or in shards."""
from __future__ import annotations

import json
import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import ImportProblem

SUFFIXES = ('.safetensors', '.pth', '.pt', '.bin', '.ckpt')
PREFERRED = ('model.safetensors', 'pytorch_model.bin')
NESTING = ('state_dict', 'model', 'model_state_dict', 'teacher', 'model_ema', 'state_dict_ema', 'module', 'net')
PREFIXES = ('module.', '_orig_mod.', 'model.')
LFS_POINTER = b'version https://git-lfs.github.com/spec'
SHARD = re.compile(r'-(\d{5})-of-(\d{5})(\.\w+)$')


@dataclass(frozen=True)
class Files:
    """tensors: float32 where they were of any floating type. metadata: safetensors' own. config, preprocessor: {} where there is none."""

    name: str
    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    preprocessor: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> list[str] | None:
        """Of the configuration: Hugging Face's id2label, timm's label_names."""
        by_id = self.config.get('id2label')
        if by_id:
            labels = [by_id[str(i)] for i in range(len(by_id)) if str(i) in by_id]
            return labels if len(labels) == len(by_id) else None
        return self.config.get('label_names') or (self.config.get('pretrained_cfg') or {}).get('label_names')


def read_files(path: Path) -> Files:
    """Raises ImportProblem when the file, its shards or its configuration cannot be read."""
    if not path.exists():
        raise ImportProblem(f'{path}: there is no such file or folder')
    file = _checkpoint_in(path) if path.is_dir() else path
    folder = file.parent
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for part in _shards(file):
        more, about = _read(part)
        tensors |= more
        metadata |= about
    if not tensors:
        raise ImportProblem(f'{file.name}: holds no tensor')
    return Files(path.name, tensors, metadata, _json(folder / 'config.json'), _json(folder / 'preprocessor_config.json'))


def _checkpoint_in(folder: Path) -> Path:
    for name in PREFERRED:
        for candidate in (folder / name, folder / f'{name}.index.json'):
            if candidate.exists():
                return candidate
    found = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and not SHARD.search(p.name)) or sorted(
        p for p in folder.iterdir() if p.suffix in SUFFIXES
    )
    groups = {SHARD.sub('', p.name) for p in found}
    if len(groups) != 1:
        what = f'{len(groups)} checkpoints ({", ".join(sorted(groups)[:3])}, …): name one' if groups else 'no checkpoint'
        raise ImportProblem(f'{folder}: expected one of {", ".join(SUFFIXES)} in it, got {what}')
    return found[0]


def _shards(file: Path) -> list[Path]:
    """The files that make up the checkpoint `file`, which may be an index, a shard, or the whole."""
    _refuse_pointer(file)
    if file.name.endswith('.index.json'):
        names = sorted(set(_json(file).get('weight_map', {}).values()))
        if not names:
            raise ImportProblem(f'{file.name}: expected an index with a weight_map')
    else:
        shard = SHARD.search(file.name)
        if not shard:
            return [file]
        count = int(shard.group(2))
        names = [SHARD.sub(f'-{i:05}-of-{count:05}\\3', file.name) for i in range(1, count + 1)]
    missing = [name for name in names if not (file.parent / name).exists()]
    if missing:
        raise ImportProblem(f'{file.name}: a checkpoint in {len(names)} shards, of which {", ".join(missing)} is missing beside it')
    return [file.parent / name for name in names]


def _refuse_pointer(file: Path) -> None:
    with file.open('rb') as stream:
        start = stream.read(len(LFS_POINTER))
    if start == LFS_POINTER:
        raise ImportProblem(f'{file.name}: a Git LFS pointer, not the weights: run `git lfs pull` in its repository, or download the file itself')


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    _refuse_pointer(file)
    if file.suffix == '.safetensors':
        try:
            with safe_open(file, 'pt') as opened:
                return {key: _float32(opened.get_tensor(key)) for key in opened.keys()}, opened.metadata() or {}  # noqa: SIM118
        except SafetensorError as error:
            raise ImportProblem(f'{file.name}: no safetensors file, or cut off ({error})') from error
    try:
        loaded = torch.load(file, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).split('\n')[0][:120]
        raise ImportProblem(
            f'{file.name}: a file that torch.load(weights_only=True) does not read: expected a state dict of tensors, not a whole '
            f'pickled model, since that would run its code ({reason}); save model.state_dict() instead'
        ) from error
    return {key: _float32(value) for key, value in _state_dict(file.name, loaded).items()}, {}


def _state_dict(name: str, loaded: Any) -> dict[str, Tensor]:
    """The dict of tensors inside, out of its nesting and without the prefixes that wrappers add."""
    while isinstance(loaded, dict) and not any(isinstance(value, Tensor) for value in loaded.values()):
        inner = next((loaded[key] for key in NESTING if isinstance(loaded.get(key), dict)), None)
        if inner is None:
            break
        loaded = inner
    tensors = {str(key): value for key, value in loaded.items() if isinstance(value, Tensor)} if isinstance(loaded, dict) else {}
    if not tensors:
        kind = f'a dict of {", ".join(map(str, list(loaded)[:4]))}' if isinstance(loaded, dict) else type(loaded).__name__
        raise ImportProblem(f'{name}: expected a state dict (by itself, or under {", ".join(NESTING[:3])}), got {kind}')
    for prefix in PREFIXES * 2:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _float32(tensor: Tensor) -> Tensor:
    return tensor.float().contiguous() if tensor.is_floating_point() else tensor


def _json(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ImportProblem(f'{file.name}: no JSON ({error})') from error
    return value if isinstance(value, dict) else {}
