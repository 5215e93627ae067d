"""Anybody's checkpoint as a start and as a teacher: what must stay the same function does, and the commands need no source edited."""
import io
import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from privit import augment
from privit.cli import main
from privit.evaluate import accuracy, batches
from privit.features import FeatureRegressors
from privit.plots import token_grid
from privit.pretrained import TeachingViT, centre_keys, fold_normalisation, pretrained_start, resize_positions, resized, with_classes
from vit.checkpoint import load_checkpoint
from vit.data import synthetic_splits
from vit.imports import Fact, Facts, Imported, ImportProblem, import_checkpoint
from vit.model import VisionTransformer, ViTConfig

SET = synthetic_splits()
CONFIG = ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=6, prefix_tokens=1, pool='class')


@pytest.fixture
def imported() -> Imported:
    """Six classes, four of which are the synthetic set's, in another order."""
    torch.manual_seed(4)
    model = VisionTransformer(CONFIG).eval()
    for p in model.parameters():
        p.data += 0.2 * torch.randn_like(p)
    said = Facts({'mean': Fact((0.485, 0.456, 0.406), 'test'), 'std': Fact((0.229, 0.224, 0.225), 'test')})
    return Imported(model, said, 'six classes', ['other', 'class3, or so', 'class1', 'Class0', 'another', 'class2'])


def outputs(model: VisionTransformer, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(images)


def own_logits(imported: Imported, images: torch.Tensor) -> torch.Tensor:
    """Of raw images in 0..255, normalised as the checkpoint says, in the set's order of classes."""
    mean, std = (255 * torch.tensor(imported.facts[name].value).view(1, 3, 1, 1) for name in ('mean', 'std'))
    return outputs(imported.model, (images.float() - mean) / std)[:, [3, 2, 5, 1]]


def test_at_its_own_size_the_start_is_the_same_function(imported):
    model = pretrained_start(imported, SET.train)
    shown = torch.cat(list(batches(SET.train, 8)))
    torch.testing.assert_close(outputs(model, shown), own_logits(imported, SET.train.images), atol=2e-4, rtol=1e-4)


def test_keys_without_their_mean_make_scores_that_a_square_can_see(imported):
    model, images = imported.model, torch.cat(list(batches(SET.train, 8)))
    before, offsets = outputs(model, images), []

    def offset(name: str, value: torch.Tensor) -> None:
        if name.endswith('.scores'):
            offsets.append(float(value.mean(-1).abs().mean()))

    with torch.no_grad():
        model(images, None, offset)
        centre_keys(model, images)
        model(images, None, offset)
    torch.testing.assert_close(outputs(model, images), before, atol=1e-4, rtol=1e-4)
    assert max(offsets[2:]) < min(offsets[:2])  # what is left differs from image to image
    with torch.no_grad():
        x = model.embed(images)
        for block in model.blocks:
            keys = block.attn.qkv(block.norm1(x))[..., 16:32]
            torch.testing.assert_close(keys.mean((0, 1)), torch.zeros(16), atol=1e-5, rtol=0)
            x = block(x, None, None, '', None)


def test_a_teacher_for_images_that_are_not_square_is_refused(imported):
    oblong = replace(imported, model=VisionTransformer(replace(CONFIG, img_width=16)))
    with pytest.raises(ValueError, match='six classes: expected a network for square images, got one for 8 x 16'):
        TeachingViT(oblong, SET.train.info)


def test_a_smooth_position_embedding_keeps_its_shape_in_another_size():
    """Values that are linear in the place stay so, up to the antialiasing kernel's rounding, except within two tokens of the border, where
    the kernel is cut. (Half a token off, such as with aligned corners, would be 0.5.)"""
    y, x = torch.meshgrid(torch.arange(14.0), torch.arange(14.0), indexing='ij')
    positions = torch.stack([y, x], -1).flatten(0, 1)[None]
    small = resize_positions(positions, 9).unflatten(1, (9, 9))[0]
    expected = (torch.arange(9.0) + 0.5) * 14 / 9 - 0.5
    torch.testing.assert_close(small[4, 2:-2, 1], expected[2:-2], atol=0.02, rtol=0)
    torch.testing.assert_close(small[2:-2, 4, 0], expected[2:-2], atol=0.02, rtol=0)
    assert resize_positions(positions, 14) is positions


def test_another_size_and_its_refusals(imported):
    bigger = resized(imported.model, 12)
    assert (bigger.config.num_tokens, bigger.pos_embed.shape) == (10, (1, 9, 16))
    assert outputs(bigger, torch.randn(2, 3, 12, 12)).shape == (2, 6)
    positional = VisionTransformer(ViTConfig(img_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2, positional=True))
    with pytest.raises(ValueError, match='expected 8, for whose offsets'):
        resized(positional, 12)
    with pytest.raises(ImportProblem, match='mean unknown'):
        pretrained_start(replace(imported, facts=Facts()), SET.train)


def test_folded_normalisation_is_exact():
    torch.manual_seed(1)
    model = VisionTransformer(replace(CONFIG, prefix_tokens=0, pool='mean')).eval()
    images = torch.rand(3, 3, 8, 8) * 255
    mean, std = torch.tensor([120.0, 110.0, 90.0]), torch.tensor([50.0, 60.0, 70.0])
    expected = outputs(model, (images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    fold_normalisation(model, mean, std, SET.train.info)
    torch.testing.assert_close(outputs(model, augment.normalise(images, SET.train.info)), expected, atol=1e-4, rtol=1e-4)


def test_the_mean_of_the_tokens_gets_a_classifier_that_works_at_once(imported):
    """Without training: the synthetic templates are told apart by what a random network makes of them."""
    model = pretrained_start(imported, SET.train, mean_pool=True)
    assert (model.config.pool, model.config.prefix_tokens, model.prefix) == ('mean', 0, None)
    assert accuracy(model, None, SET.validation) > 0.7  # chance is 0.25
    unknown = replace(imported, labels=['a', 'b', 'c', 'd', 'e', 'f'])
    assert accuracy(pretrained_start(unknown, SET.train), None, SET.validation) > 0.7


def test_a_vit_teaches_what_it_said_where_it_was_trained(imported):
    teacher = TeachingViT(imported, SET.train.info)
    images = SET.train.images[:5]
    quickly = teacher(images.float(), 2)
    teacher._dtype = None  # in float32, also where hardware multiplies bfloat16
    tokens, pooled, logits = teacher(images.float(), 2)
    for rounded, exact in zip(quickly, (tokens, pooled, logits)):
        torch.testing.assert_close(rounded, exact, atol=0.1, rtol=0.1)
    torch.testing.assert_close(logits, own_logits(imported, images), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(F.linear(pooled, teacher.head.weight, teacher.head.bias), logits)
    assert tokens.shape == (5, 4, 16) and (teacher.token_channels, teacher.pooled_channels, teacher.img_size) == (16, 16, 8)
    with pytest.raises(ValueError, match='does not know the classes of synthetic templates'):
        TeachingViT(replace(imported, labels=['a', 'b', 'c', 'd', 'e', 'f']), SET.train.info)


def test_what_the_class_token_regresses_is_what_its_teacher_classified():
    regressors = FeatureRegressors(16, 3, 5)
    patches, cls, tokens, pooled = torch.randn(2, 4, 16), torch.randn(2, 16), torch.zeros(2, 4, 3), torch.zeros(2, 5)
    by_hand = regressors.tokens(regressors.norm(patches)).square().mean() + regressors.pooled(regressors.norm(cls)).square().mean()
    torch.testing.assert_close(regressors.loss(patches, tokens, pooled, cls), by_hand)


def test_switches_are_drawn_where_their_patches_lie():
    grid = token_grid(torch.arange(5.0), 1)
    torch.testing.assert_close(grid, torch.tensor([[0.0, float('nan')], [1, 2], [3, 4]]), equal_nan=True)
    assert torch.equal(token_grid(torch.arange(4.0), 0), torch.tensor([[0.0, 1], [2, 3]]))


def test_with_classes_keeps_rows_in_the_order_asked_for(imported):
    model = with_classes(imported.model, [5, 0], 2, False)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(outputs(model, images), outputs(imported.model, images)[:, [5, 0]])


def test_from_somebodys_checkpoint_and_folder_to_a_student_by_commands_alone(tmp_path, capsys):
    """A timm file and two folders of PNGs: teacher (its own size halved), views from the original, search with a class token, evaluate."""
    torch.manual_seed(3)
    config = ViTConfig(img_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3, prefix_tokens=1, pool='class')
    state = VisionTransformer(config).state_dict()
    state['cls_token'] = 0.3 * torch.randn(1, 1, 16)
    state['pos_embed'] = torch.cat([state.pop('prefix') - state['cls_token'], state['pos_embed']], 1)
    state |= {f'norm.{part}': state.pop(f'fc_norm.{part}') for part in ('weight', 'bias')}
    checkpoint, photos = tmp_path / 'somebodys.safetensors', tmp_path / 'photos'
    save_file({k: v.contiguous() for k, v in state.items()}, checkpoint)
    generator = torch.Generator().manual_seed(0)
    for label, colour in enumerate(((200, 60, 60), (60, 200, 60), (60, 60, 200))):
        for split, count in (('train', 16), ('val', 4)):
            folder = photos / split / f'thing {label}'
            folder.mkdir(parents=True)
            for i in range(count):
                noise = 40 * torch.randn(10, 10, 3, generator=generator)
                buffer = io.BytesIO()
                Image.fromarray((torch.tensor(colour) + noise).clamp(0, 255).byte().numpy()).save(buffer, 'PNG')
                (folder / f'{i}.png').write_bytes(buffer.getvalue())
    common = ['--dataset', str(photos), '--cache-dir', str(tmp_path / 'cache'), '--validation-images', '12']
    facts = ['--heads', '2', '--mean', '0.5', '0.5', '0.5', '--std', '0.5', '0.5', '0.5']
    quick = ['--batch-size', '12', '--crop-padding', '0', '--learning-rate', '3e-3', '--range-weight', '1e-4']
    with pytest.raises(ImportProblem, match='expected --heads'):
        main(['teacher', *common, '--start', str(checkpoint), '--run-dir', str(tmp_path / 'none')])
    views = ['--cnn', str(checkpoint), *facts]
    main(['views', *common, *views, '--run-dir', str(tmp_path / 'views'), '--count', '1', '--size', '8', '--patch-size', '4'])
    start = ['--start', str(checkpoint), '--size', '8', *facts, '--crop-ratio', '0.8']
    main(['teacher', *common, *quick, *start, '--views', str(tmp_path / 'views'), '--run-dir', str(tmp_path / 'teacher'), '--steps', '12', '--warmup-steps', '2'])
    teacher = str(tmp_path / 'teacher' / 'checkpoint.safetensors')
    model, _, description = load_checkpoint(tmp_path / 'teacher' / 'checkpoint.safetensors')
    assert (model.config.img_size, model.config.prefix_tokens, model.config.pool) == (8, 1, 'class')
    assert description['resize'] == {'shorter_side': 10, 'crop': 8, 'interpolation': 'bilinear'}
    assert (description['labels'], description['dataset']) == (['thing 0', 'thing 1', 'thing 2'], 'photos')
    assert description['name'] == 'photos-teacher'
    budgets = ['--softmax-budget', '5', '--gelu-budget', '2', '--search-steps', '6', '--finetune-steps', '6', '--round-steps', '2', '--switch-learning-rate', '0.1']
    main(['search', *common, *quick, *budgets, '--teacher', teacher, '--run-dir', str(tmp_path / 'search')])
    student = tmp_path / 'search' / 'checkpoint.safetensors'
    searched, switches, found = load_checkpoint(student)
    assert searched.config == model.config and found['resize'] == description['resize']
    assert (switches[0].shape, int(switches[0].sum()), int(switches[1].sum())) == ((2, 2, 5), 5, 2)
    assert (tmp_path / 'search' / 'switch-maps.png').read_bytes().startswith(b'\x89PNG')
    capsys.readouterr()
    main(['evaluate', *common, '--checkpoint', str(student)])
    report = json.loads(capsys.readouterr().out)
    assert report['images'] == 12 and report['top1'] > 0.6  # three classes
    main(['evaluate', *common, '--checkpoint', str(student), '--split', 'test'])
    assert json.loads(capsys.readouterr().out)['images'] == 12


def test_the_shared_checkpoint_imports_where_it_is_there():
    """The options that privit/README.md gives for it."""
    from pathlib import Path

    path = Path(__file__).parents[3] / 'shared' / 'model' / 'vit_tiny_patch16_224-imagenet1k.safetensors'
    if not path.exists():
        pytest.skip('no shared checkpoint beside the repository')
    imported = import_checkpoint(path, {'mean': (0.5,) * 3, 'std': (0.5,) * 3})
    info = replace(SET.train.info, name='imagenette')
    assert TeachingViT(imported, info).head.out_features == 10
    small = resized(imported.model, 144)
    assert (small.config.num_tokens, small.config.num_heads, small.config.pool) == (82, 3, 'class')
