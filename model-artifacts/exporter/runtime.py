"""ONNX files, run."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from .folding import Array


def run_onnx(model: bytes | Path, images: Array, threads: int = 2) -> Array:
    """The one output, such as logits, of uint8 images (N, H, W, 3) by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')  # beside other work, waiting would take what they need
    data = model if isinstance(model, bytes) else model.read_bytes()
    session = onnxruntime.InferenceSession(data, options, providers=['CPUExecutionProvider'])
    batches = (images[i : i + 64].transpose(0, 3, 1, 2).astype(np.float32) for i in range(0, len(images), 64))
    return np.concatenate([session.run(None, {'image': batch})[0] for batch in batches])
