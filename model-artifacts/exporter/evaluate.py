"""How well integers and the ONNX file stand in for the float model."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .folding import Array, FoldedModel
from .forward import forward
from .images import LabelledImages
from .runtime import run_onnx
from .simulate import Simulation


def evaluate(
    folder: Path, model: FoldedModel, held_out: LabelledImages, say: Callable[[int], object] = lambda done: None, batch: int = 16
) -> dict[str, Any]:
    """Figures over held-out images; accuracies (over those that have a label, if any) and agreements are fractions of 1.

    `violations`: tensor -> [images, worst value, low, high], where a value left its range (a secure run goes wrong there).
    `imagesOutOfRange`: how many images have such a value in any tensor.
    """
    images, labels = held_out.images, held_out.labels
    simulation = Simulation.load(folder)
    model = model.in_single_precision()  # a thousand times finer than the integers
    exact, integer = [], []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        exact.append(forward(model, part))
        integer.append(simulation.run(part))
        say(min(start + batch, len(images)))
    return _figures(np.concatenate(exact), np.concatenate(integer), run_onnx(folder / 'model.onnx', images), labels, simulation)


def _figures(exact: Array, integer: Array, onnx: Array, labels: Array, simulation: Simulation) -> dict[str, Any]:
    known = labels >= 0
    def top1(logits: Array) -> Array:
        return logits.argmax(1)

    return {
        'images': len(labels),
        **({
            name: float((top1(logits) == labels)[known].mean()) for name, logits in (('floatTop1', exact), ('onnxTop1', onnx), ('integerTop1', integer))
        } if known.any() else {}),
        'agreementTop1': float((top1(integer) == top1(exact)).mean()),
        'agreementTop1Onnx': float((top1(integer) == top1(onnx)).mean()),
        'maxAbsLogitError': float(np.abs(integer - exact).max()),
        'rmsLogitError': float(np.sqrt(np.square(integer - exact).mean())),
        'logitSpread': float(exact.std()),
        'maxAbsLogitErrorOnnx': float(np.abs(onnx - exact).max()),
        'imagesOutOfRange': len(simulation.violations.images),
        'violations': {tensor: [len(numbers), *rest] for tensor, (numbers, *rest) in simulation.violations.by_tensor.items()},
    }
