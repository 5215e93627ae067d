from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_artifact import export_tiny

from exporter.commands.checkpoints import preprocessing_of
from exporter.export import write_artifact
from exporter.images import Preprocessing
from exporter.restore import restore
from exporter.tiny import CONFIG, tiny_checkpoint, tiny_images
from privit.cli import main
from privit.commands.pretrained import write_artifact as write_artifact_as_timm
from vit.data import IMAGE_SETS, ImageSetInfo
from vit.imports import import_checkpoint
from vit.model import computed

ZOO = Path(__file__).resolve().parents[1] / 'zoo'


def info_of(description) -> ImageSetInfo:
    return ImageSetInfo('tiny', 'tiny', '', 8, description['labels'], tuple(description['mean']), tuple(description['std']), 0)


def test_an_artifact_gives_its_network_back(checkpoint, artifact):
    folder, _ = artifact
    again = restore(folder, info_of(checkpoint.description))
    assert again.model.config == checkpoint.model.config
    for name, tensor in checkpoint.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], tensor.half().float() if tensor.numel() >= 1024 else tensor, atol=0, rtol=0)
    assert all(torch.equal(a, b) for a, b in zip(again.switches, checkpoint.switches))


def test_what_is_restored_exports_to_the_same_integers(checkpoint, artifact, tmp_path):
    """Nothing is rounded twice, so the weights are the same bytes wherever float16 did not round."""
    folder, _ = artifact
    again = restore(folder, info_of(checkpoint.description))
    if any(t.numel() >= 1024 and not torch.equal(t, t.half().float()) for t in checkpoint.model.state_dict().values()):
        checkpoint = replace(checkpoint, model=again.model)
        export_tiny(checkpoint, tmp_path / 'first')
        folder = tmp_path / 'first'
        again = restore(folder, info_of(checkpoint.description))
    export_tiny(again, tmp_path / 'second')
    assert (folder / 'weights.bin').read_bytes() == (tmp_path / 'second' / 'weights.bin').read_bytes()


@pytest.mark.parametrize(('name', 'rows', 'tokens', 'units'), [('cifar10', 265, 8, 128), ('imagenette', 903, 0, 384)])
def test_the_shipped_models_can_be_trained_further(name, rows, tokens, units, tmp_path):
    path = tmp_path / 'restored.safetensors'
    main(['restore', str(ZOO / name), '--dataset', name, '--out', str(path)])
    from vit.checkpoint import load_checkpoint

    model, switches, description = load_checkpoint(path)
    assert description['labels'] == IMAGE_SETS[name].labels
    assert (int(switches[0].sum()), int(switches[1].sum()), model.config.square_units) == (rows, tokens, units)
    size = model.config.img_size
    assert model(torch.randn(1, 3, size, size), switches).isfinite().all()


def test_another_set_is_refused(checkpoint, artifact):
    with pytest.raises(ValueError, match='labels'):
        restore(artifact[0], IMAGE_SETS['cifar10'])
    info = info_of(checkpoint.description)
    with pytest.raises(ValueError, match=r'model.onnx: expected std \(1.0, 1.0, 1.0\) of tiny, got'):
        restore(artifact[0], replace(info, std=(1.0, 1.0, 1.0)))


def test_every_part_of_an_architecture_comes_back(tmp_path):
    config = replace(CONFIG, positional=False, square_units=0, img_width=12, prefix_tokens=3, pool='class', activation='gelu-tanh', norm_eps=1e-5)
    checkpoint = tiny_checkpoint(config=config)
    images = tiny_images(65)
    images = np.concatenate([images, images[:, :, :4]], 2)
    write_artifact(checkpoint, images[1:], images[0], 'seeded', Preprocessing(8, 8, crop_width=12), tmp_path)
    assert restore(tmp_path, info_of(checkpoint.description)).model.config == config


def test_without_a_set_an_exact_network_becomes_what_timm_would_write(checkpoint, tmp_path):
    """Anybody's ViT: imported, exported, and back."""
    config = replace(CONFIG, positional=False, pool='class', prefix_tokens=1, square_units=0)
    exact = tiny_checkpoint(config=config)
    exact = replace(exact, switches=computed(config))
    export_tiny(exact, tmp_path / 'artifact')
    main(['restore', str(tmp_path / 'artifact'), '--out', str(tmp_path / 'timm')])
    again = import_checkpoint(tmp_path / 'timm')
    assert again.labels == exact.description['labels']
    np.testing.assert_allclose(again.facts.value('mean'), [v / 255 for v in exact.description['mean']], rtol=1e-5)
    assert again.facts.value('shorter_side') == exact.description['resize']['shorter_side']
    images = torch.randn(3, 3, config.img_size, config.img_size)
    with torch.no_grad():
        torch.testing.assert_close(again.model(images), exact.model(images), atol=2e-3, rtol=1e-2)  # large matrices are float16 in the artifact


@pytest.mark.parametrize(('changes', 'preprocessing'), [
    ({'pool': 'norm-mean'}, Preprocessing(9, 8)),
    ({'pool': 'mean'}, Preprocessing(13, 8, interpolation='bicubic')),
    ({'pool': 'norm-mean', 'prefix_tokens': 1}, Preprocessing(8, 8, fit='squash')),
    ({'pool': 'mean', 'prefix_tokens': 3}, Preprocessing(8, 8)),
    ({'pool': 'class', 'prefix_tokens': 1, 'activation': 'quick-gelu', 'norm_eps': 1e-12}, Preprocessing(11, 8)),
    ({'pool': 'class', 'prefix_tokens': 1, 'activation': 'gelu-tanh', 'norm_eps': 1e-3}, Preprocessing(11, 8)),
])  # fmt: skip
def test_nothing_of_it_is_lost_on_the_way(changes, preprocessing, tmp_path):
    config = replace(CONFIG, positional=False, square_units=0, **changes)
    exact = replace(tiny_checkpoint(config=config), switches=computed(config))
    images = tiny_images(65)
    write_artifact(exact, images[1:], images[0], 'seeded', preprocessing, tmp_path / 'artifact')
    write_artifact_as_timm(tmp_path / 'artifact', tmp_path / 'timm')
    again = import_checkpoint(tmp_path / 'timm')
    assert replace(again.model.config, norm_eps=0) == replace(config, norm_eps=0)
    assert again.model.config.norm_eps == pytest.approx(config.norm_eps, rel=1e-9)
    assert preprocessing_of(again) == preprocessing


def test_without_a_set_a_student_is_refused(artifact, tmp_path):
    with pytest.raises(ValueError, match='expected'):
        write_artifact_as_timm(artifact[0], tmp_path / 'timm')
