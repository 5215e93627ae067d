"""The export, step by step: fold, calibrate, choose scales, quantise, write, simulate."""
from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vit.ood import ood_images

from .artifact import PUBLIC_PART, manifest, pack, write_golden, write_json, write_weights
from .calibrate import calibrate
from .checkpoint import Checkpoint
from .folding import Array, FoldedModel
from .hidden_groups import grouped
from .images import Preprocessing
from .limits import check_limits, check_words
from .onnx_model import to_onnx
from .quantise import quantise
from .scales import DEFAULT_PRECISION, Precision, choose_scales
from .simulate import Simulation
from .text import plain_text

CHECKED_IMAGES = 256
"""Of the calibration, run through the integers: scales were chosen with room for all, so this finds faults, not rare images. Fewer of a large
network: as many as have CHECKED_SCORES scores, and those that are out of distribution always."""
CHECKED_SCORES = 2**26
BATCHED_SCORES = 2**21
"""Attention scores of a block that are computed at once."""


def describe_switches(model: FoldedModel) -> str:
    rows = sum(int(b.softmax_rows.sum()) for b in model.blocks)
    tokens = sum(int(b.gelu_tokens.sum()) for b in model.blocks)
    all_tokens = sum(len(b.gelu_tokens) for b in model.blocks)
    units = f', {model.square_units} square units stand beside attention in each block' if model.square_units else ''
    fewer = ''.join(f', behind block {i + 1} {len(kept)} of {model.tokens} tokens go on' for i, kept in model.kept_tokens)
    return f'{rows} of {model.heads * all_tokens} softmax rows and {tokens} of {all_tokens} GELU tokens are exact{units}{fewer}'


def title_of(checkpoint: Checkpoint) -> str:
    d, c = checkpoint.description, checkpoint.model.config
    return plain_text(f"{d['dataset']}: vision transformer, {c.depth} × {c.embed_dim}, {c.num_tokens} tokens")


def write_artifact(
    checkpoint: Checkpoint,
    calibration: Array,
    golden: Array,
    golden_name: str,
    preprocessing: Preprocessing,
    out: Path,
    precision: Precision = DEFAULT_PRECISION,
    say: Callable[[int], object] = lambda done: None,
) -> FoldedModel:
    """Write manifest, weights, ONNX and golden files to the folder `out`, one that output.py's `replacing` gives.

    calibration: uint8 (N, S, S, 3) training images, to which ood_images are added. golden: one image (S, S, 3). Raises ExportError
    when the model does not fit the plan's limits, on the calibration images too: nothing is written then.
    """
    check_limits(checkpoint, preprocessing)
    model = checkpoint.fold()
    d = checkpoint.description
    title = title_of(checkpoint)
    description = plain_text(f"{d['recipe']}; {describe_switches(model)}.")
    check_words(title, description)
    images = np.concatenate([calibration, ood_images(model.height, model.width)])
    batch = min(64, max(1, BATCHED_SCORES // (model.heads * model.tokens**2)))
    ranges = calibrate(model, images, batch, lambda done: say(min(done, len(calibration))))
    model = grouped(model, ranges)
    fixed = choose_scales(model, ranges, precision)
    weights = quantise(model, fixed)
    index, data = pack(weights)
    onnx = to_onnx(checkpoint)
    digests = hashlib.sha256(data).hexdigest(), hashlib.sha256(onnx).hexdigest()
    public = manifest(model, fixed, d['name'], title, description, d['labels'], preprocessing, *digests)
    simulation = Simulation(public, {name: tensor.astype(np.int64) for name, tensor in weights.items()})
    strange = len(images) - len(calibration)
    scores = len(model.blocks) * model.heads * model.tokens**2
    checked = images[-max(strange, min(CHECKED_IMAGES, CHECKED_SCORES // scores)) :]  # the out-of-distribution ones, and some training images
    for start in range(0, len(checked), batch):
        simulation.run(checked[start : start + batch])
    simulation.violations.raise_first()

    out.mkdir(parents=True, exist_ok=True)
    for other in ('card.md', PUBLIC_PART):  # another model's
        (out / other).unlink(missing_ok=True)
    write_weights(out, index, data)
    (out / 'model.onnx').write_bytes(onnx)
    write_json(out / 'manifest.json', public)
    write_golden(out, model, fixed, golden, golden_name)
    return model
