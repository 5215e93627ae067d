"""Checkpoints as people have them become this project's network with the same function, or are refused by a sentence that names why."""
import json
import math
import pickle

import pytest
import torch
from checkpoints import ORDINARY, REFUSED, Recipe, write
from safetensors.torch import save_file

from vit.imports import ImportProblem, import_checkpoint
from vit.imports.timm import crop_pct


def assert_same(imported, recipe, state):
    images = torch.randn(3, 3, recipe.height, recipe.width, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = recipe.forward(state, images)
        torch.testing.assert_close(imported.model(images), expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize('name', ORDINARY)
def test_the_function_stays(name, tmp_path):
    path, recipe, state = write(tmp_path / 'checkpoint', name)
    imported = import_checkpoint(path)
    assert_same(imported, recipe, state)
    assert imported.model.config.num_heads == recipe.heads and 'config.json' in imported.facts['heads'].source
    assert imported.facts['epsilon'].value == recipe.epsilon
    assert imported.facts['fit'].value == ('crop' if recipe.naming == 'timm' else 'squash')


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_not_supported_is_named(name, tmp_path):
    recipe, words = REFUSED[name]
    with pytest.raises(ImportProblem, match=words):
        import_checkpoint(recipe.write(tmp_path, recipe.state()))


def test_windows_are_named(tmp_path):
    names = ['patch_embed.proj.weight', 'layers.0.blocks.0.attn.relative_position_index', 'layers.0.blocks.0.attn.qkv.weight']
    save_file({name: torch.zeros(4) for name in names}, tmp_path / 'swin.safetensors')
    with pytest.raises(ImportProblem, match='windows'):
        import_checkpoint(tmp_path / 'swin.safetensors')


def test_every_registry_of_refusals_is_reached_by_its_names():
    """Hugging Face writes the same features by other names."""
    from vit.imports import huggingface

    for name, words in {
        'deit.embeddings.distillation_token': 'distillation', 'vit.layers.0.attention.q_norm.weight': 'qk-norm',
        'dinov2.encoder.layer.0.mlp.weights_in.weight': 'SwiGLU', 'swin.encoder.layers.0.blocks.0.attention.self.query.weight': 'windows',
    }.items():  # fmt: skip
        with pytest.raises(ImportProblem, match=words):
            huggingface.rename({name: torch.zeros(1)})


def test_heads_are_never_guessed(tmp_path):
    recipe = Recipe()
    path = recipe.write(tmp_path, recipe.state())
    (tmp_path / 'config.json').unlink()
    with pytest.raises(ImportProblem, match='heads unknown .*expected --heads'):
        import_checkpoint(path)
    imported = import_checkpoint(path, {'heads': 6})
    assert imported.model.config.num_heads == 6 and imported.facts['heads'].source == '--heads'
    with pytest.raises(ImportProblem, match='heads 7: expected a divisor of the width, 48'):
        import_checkpoint(path, {'heads': 7})


def test_an_option_is_believed_before_a_file(tmp_path):
    recipe = Recipe(tanh=True)
    path = recipe.write(tmp_path, recipe.state())
    facts = import_checkpoint(path, {'activation': 'gelu', 'epsilon': 1e-5}).facts
    assert (facts['activation'].value, facts['activation'].source, facts['epsilon'].value) == ('gelu', '--activation', 1e-5)


def said_by_timm(folder, **changes):
    """A checkpoint of Recipe() whose config.json says this too: of model_args, of pretrained_cfg (seen), or beside them (own)."""
    recipe = Recipe()
    config = recipe.config()
    for name, value in changes.items():
        part, _, key = name.partition('__')
        {'model': config['model_args'], 'seen': config['pretrained_cfg'], 'own': config}[part][key] = value
    path = recipe.write(folder, recipe.state())
    (path / 'config.json').write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(('changes', 'option', 'words'), [
    ({'model__act_layer': 'silu'}, {'activation': 'gelu'}, "expected an act_layer of gelu, .*got 'silu' .--activation"),
    ({'model__act_layer': 3}, {'activation': 'gelu'}, 'expected an act_layer .*got 3'),
    *(({'own__global_pool': pool}, {'pool': 'class'}, f"expected a global_pool of token or avg, got '{pool}' .--pool") for pool in ('max', 'avgmax', 'map', '')),
    ({'model__global_pool': 'avg'}, {'pool': 'class'}, "expected one global_pool, got 'token' and in model_args 'avg'"),
    ({'model__num_heads': '3'}, {'heads': 3}, "expected num_heads of 1 or more, got '3'"),
    ({'model__norm_eps': -1}, {'epsilon': 1e-6}, 'expected a norm_eps in 0..1, got -1'),
    ({'model__img_size': [32]}, {'image_size': (32, 32)}, 'expected an image size of two numbers'),
    ({'seen__crop_mode': 'border'}, {'fit': 'crop'}, "expected a crop_mode of center or squash, got 'border'"),
    ({'seen__crop_mode': 'squash'}, {'fit': 'squash'}, 'a centre crop behind a squash .crop_pct 0.9. is not supported'),
    ({'seen__crop_pct': 0}, {'shorter_side': 36}, 'expected a crop_pct of more than 0'),
    ({'seen__mean': [0.5]}, {'mean': (0.5,) * 3}, 'expected a mean of three numbers'),
])  # fmt: skip
def test_a_value_that_is_there_and_unknown_is_not_passed_over(changes, option, words, tmp_path):
    path = said_by_timm(tmp_path, **changes)
    with pytest.raises(ImportProblem, match=f'config.json.*: {words}'):
        import_checkpoint(path)
    assert import_checkpoint(path, option).facts[next(iter(option))].value == next(iter(option.values()))


@pytest.mark.parametrize(('changes', 'words'), [
    ({'model__norm_layer': 'rmsnorm'}, "norm_layer 'rmsnorm' is not supported: expected 'layernorm'"),
    ({'model__pre_norm': True}, 'pre_norm True is not supported'),
    ({'model__pool_include_prefix': True}, 'pool_include_prefix True is not supported'),
    ({'model__block_fn': 'ResPostBlock'}, "block_fn 'ResPostBlock' is not supported"),
    ({'model__patch_size': 99}, "patch_size 99, but the tensors' is 8"),
    ({'model__depth': 12}, "depth 12, but the tensors' is 2"),
    ({'model__embed_dim': 64}, "embed_dim 64, but the tensors' is 48"),
    ({'model__logit_scale': 2}, "logit_scale 2: no argument of timm's VisionTransformer"),
    ({'own__architecture': 'vit_base_patch16_rpn_224.sw_in1k'}, 'norms behind attention and MLP are not supported'),
])  # fmt: skip
def test_a_configuration_of_another_network_is_refused(changes, words, tmp_path):
    with pytest.raises(ImportProblem, match=words):
        import_checkpoint(said_by_timm(tmp_path, **changes), {'heads': 3, 'activation': 'gelu', 'pool': 'class'})


def test_a_configuration_that_says_the_same_as_the_tensors_is_read(tmp_path):
    plain = {'norm_layer': 'layer_norm', 'pre_norm': False, 'pool_include_prefix': False, 'patch_size': 8, 'depth': 2, 'embed_dim': 48, 'drop_path_rate': 0.1}
    path = said_by_timm(tmp_path, seen__crop_mode='squash', seen__crop_pct=1.0, **{f'model__{name}': value for name, value in plain.items()})
    recipe = Recipe()
    imported = import_checkpoint(path)
    assert_same(imported, recipe, recipe.state())
    assert imported.facts['fit'].value == 'squash'


@pytest.mark.parametrize(('file', 'changes', 'option', 'words'), [
    ('config', {'hidden_act': 'silu'}, {'activation': 'gelu'}, "expected a hidden_act of gelu, .*got 'silu'"),
    ('preprocessor_config', {'resample': 1}, {'interpolation': 'bicubic'}, 'expected a resample of 2 .bilinear. or 3 .bicubic., got 1'),
    ('preprocessor_config', {'size': {'longest_edge': 32}}, None, 'expected a size of shortest_edge, or of height and width'),
    ('preprocessor_config', {'do_rescale': False}, None, 'colours that are not divided by 255'),
    ('preprocessor_config', {'rescale_factor': 1 / 127.5}, None, 'colours that are not divided by 255'),
])  # fmt: skip
def test_nor_is_one_of_hugging_faces(file, changes, option, words, tmp_path):
    recipe = Recipe(naming='hf5')
    path = recipe.write(tmp_path, recipe.state())
    said = tmp_path / f'{file}.json'
    said.write_text(json.dumps(json.loads(said.read_text()) | changes))
    with pytest.raises(ImportProblem, match=f'{file}.json: {words}'):
        import_checkpoint(path)
    if option:
        import_checkpoint(path, option)


@pytest.mark.parametrize('pool', ['token', 'avg'])
def test_the_last_norm_is_fc_norm_wherever_it_is_called_so(pool, tmp_path):
    """timm's fc_norm=True beside a class token."""
    recipe = Recipe(pool='class' if pool == 'token' else 'mean')
    path = recipe.write(tmp_path, {name.replace('norm.', 'fc_norm.') if name.startswith('norm.') else name: t for name, t in recipe.state().items()})
    assert import_checkpoint(path).model.config.pool == recipe.pool


def test_the_shorter_side_survives_every_crop_pct():
    wrong = [(size, shorter) for size in range(4, 513) for shorter in range(size, 1025) if math.floor(size / crop_pct(size, shorter)) != shorter]
    assert wrong == []


def test_timms_name_tells_heads_only_of_the_width_it_stands_for(tmp_path):
    for dim, heads in ((192, 3), (96, None)):
        recipe = Recipe(dim=dim, heads=3, depth=1)
        folder = recipe.write(tmp_path / str(dim), recipe.state())
        (folder / 'config.json').write_text(json.dumps({'architecture': 'vit_tiny_patch16_224'}))
        if heads:
            assert import_checkpoint(folder).model.config.num_heads == heads
        else:
            with pytest.raises(ImportProblem, match='--heads'):
                import_checkpoint(folder)


class Whole(torch.nn.Linear):
    """A model that was pickled with its class."""


def broken(kind, folder):
    file = folder / ('model-00001-of-00002.safetensors' if kind == 'shard' else 'model.pth' if 'pickle' in kind else 'model.safetensors')
    if kind == 'pointer':
        file.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 22883584\n')
    elif kind == 'shard':
        save_file({'head.bias': torch.zeros(2)}, file)
    elif kind == 'cut off':
        save_file({'head.bias': torch.zeros(200)}, file)
        file.write_bytes(file.read_bytes()[:-100])
    elif kind == 'pickled model':
        torch.save(Whole(2, 2), file)
    elif kind == 'pickled list':
        torch.save([1, 2], file)
    elif kind == 'pickled words':
        file.write_bytes(pickle.dumps({'a': 'b'}))
    elif kind == 'no head':
        recipe = Recipe()
        save_file({k: t for k, t in recipe.state().items() if 'head' not in k}, file)
    elif kind == 'one tensor more':
        recipe = Recipe(extra={'blocks.0.attn.sink': (4,)})
        save_file(recipe.state(), file)
    elif kind == 'another network':
        save_file({'conv1.weight': torch.zeros(3)}, file)
    return file


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        ('pointer', 'model.safetensors: a Git LFS pointer.*git lfs pull'),
        ('shard', 'in 2 shards, of which model-00002-of-00002.safetensors is missing'),
        ('cut off', 'no safetensors file, or cut off'),
        ('pickled model', 'expected a state dict of tensors, not a whole pickled model.*model.state_dict'),
        ('pickled list', 'expected a state dict .*got list'),
        ('pickled words', 'state dict'),
        ('no head', "expected a tensor head.weight: a checkpoint without its classifier"),
        ('one tensor more', '1 tensors belong to no part of a plain vision transformer .blocks.0.attn.sink'),
        ('another network', "expected the tensors of a vision transformer .*got conv1.weight"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(kind, words, tmp_path):
    with pytest.raises(ImportProblem, match=words):
        import_checkpoint(broken(kind, tmp_path), {'heads': 3})


def test_a_folder_without_or_with_several_checkpoints(tmp_path):
    with pytest.raises(ImportProblem, match='no such file'):
        import_checkpoint(tmp_path / 'nowhere')
    with pytest.raises(ImportProblem, match='got no checkpoint'):
        import_checkpoint(tmp_path)
    for name in ('a.pth', 'b.pth'):
        torch.save({'x': torch.zeros(1)}, tmp_path / name)
    with pytest.raises(ImportProblem, match='2 checkpoints .*name one'):
        import_checkpoint(tmp_path)


def test_agrees_with_transformers(tmp_path):
    """Against Hugging Face itself where it can be imported, with what its save_pretrained writes."""
    transformers = pytest.importorskip('transformers')
    common = {'hidden_size': 48, 'num_hidden_layers': 2, 'num_attention_heads': 6, 'intermediate_size': 80, 'image_size': 32, 'patch_size': 8}
    theirs = transformers.ViTForImageClassification(transformers.ViTConfig(**common, num_labels=7, initializer_range=0.3)).eval()
    theirs.save_pretrained(tmp_path)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(import_checkpoint(tmp_path).model(images), theirs(images).logits, atol=2e-4, rtol=1e-4)
