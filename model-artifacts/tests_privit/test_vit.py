"""The network is timm's: names, shapes, arithmetic."""
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from privit.teacher import initial_model
from vit.model import VisionTransformer, ViTConfig, adapt_patch_embedding


def test_state_dict_has_the_names_and_shapes_of_timm():
    shapes = {k: tuple(v.shape) for k, v in VisionTransformer(ViTConfig()).state_dict().items()}
    block = {
        'norm1.weight': (256,), 'norm1.bias': (256,), 'attn.qkv.weight': (768, 256), 'attn.qkv.bias': (768,),
        'attn.proj.weight': (256, 256), 'attn.proj.bias': (256,), 'norm2.weight': (256,), 'norm2.bias': (256,),
        'mlp.fc1.weight': (512, 256), 'mlp.fc1.bias': (512,), 'mlp.fc2.weight': (256, 512), 'mlp.fc2.bias': (256,),
    }  # fmt: skip
    expected = {f'blocks.{i}.{k}': v for i in range(7) for k, v in block.items()} | {
        'pos_embed': (1, 64, 256), 'patch_embed.proj.weight': (256, 3, 4, 4), 'patch_embed.proj.bias': (256,),
        'fc_norm.weight': (256,), 'fc_norm.bias': (256,), 'head.weight': (10, 256), 'head.bias': (10,),
    }  # fmt: skip
    assert shapes == expected


def test_agrees_with_timm(tiny_model, tiny_images):
    """Against timm itself where it can be imported (its dependency torchvision may be missing)."""
    try:
        from timm.models.vision_transformer import VisionTransformer as TimmViT
    except ImportError as error:
        pytest.skip(f'timm cannot be imported: {error}')
    c = tiny_model.config
    timm_model = TimmViT(
        img_size=c.img_size, patch_size=c.patch_size, embed_dim=c.embed_dim, depth=c.depth, num_heads=c.num_heads,
        mlp_ratio=c.mlp_ratio, num_classes=c.num_classes, class_token=False, global_pool='avg',
    ).eval()  # fmt: skip
    timm_model.load_state_dict(tiny_model.state_dict())
    torch.testing.assert_close(tiny_model(tiny_images), timm_model(tiny_images), atol=1e-5, rtol=1e-5)


def test_agrees_with_pytorchs_own_encoder_layer(tiny_model, tiny_images):
    """An independent implementation of the same block, with the same weights."""
    c = tiny_model.config
    x = tiny_model.patch_embed(tiny_images) + tiny_model.pos_embed
    torch.testing.assert_close(x - tiny_model.pos_embed, tiny_model.patch_embed.proj(tiny_images).flatten(2).transpose(1, 2))
    for block in tiny_model.blocks:
        layer = torch.nn.TransformerEncoderLayer(
            c.embed_dim, c.num_heads, int(c.embed_dim * c.mlp_ratio), 0.0, 'gelu', 1e-6, batch_first=True, norm_first=True
        ).train()  # in eval mode PyTorch takes a fused path that needs no_grad
        names = {
            'self_attn.in_proj_weight': block.attn.qkv.weight, 'self_attn.in_proj_bias': block.attn.qkv.bias,
            'self_attn.out_proj.weight': block.attn.proj.weight, 'self_attn.out_proj.bias': block.attn.proj.bias,
            'linear1.weight': block.mlp.fc1.weight, 'linear1.bias': block.mlp.fc1.bias,
            'linear2.weight': block.mlp.fc2.weight, 'linear2.bias': block.mlp.fc2.bias,
            'norm1.weight': block.norm1.weight, 'norm1.bias': block.norm1.bias,
            'norm2.weight': block.norm2.weight, 'norm2.bias': block.norm2.bias,
        }  # fmt: skip
        layer.load_state_dict(names)
        x = layer(x)
    torch.testing.assert_close(tiny_model.features(tiny_images), x, atol=1e-5, rtol=1e-4)
    pooled = F.layer_norm(x.mean(1), (c.embed_dim,), tiny_model.fc_norm.weight, tiny_model.fc_norm.bias, 1e-6)
    torch.testing.assert_close(tiny_model(tiny_images), tiny_model.head(pooled), atol=1e-5, rtol=1e-4)


def test_stretched_patch_embedding_sees_the_thumbnail():
    small = torch.nn.Conv2d(3, 8, 4, 4)
    big = torch.nn.Conv2d(3, 8, 16, 16)
    big.weight.data = adapt_patch_embedding(small.weight.data, 16)
    big.bias.data = small.bias.data
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(big(images), small(F.avg_pool2d(images, 4)), atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match='multiple'):
        adapt_patch_embedding(small.weight.data, 18)


def test_shrunk_patch_embedding_sees_patches_enlarged():
    small = torch.nn.Conv2d(3, 8, 4, 4)
    big = torch.nn.Conv2d(3, 8, 16, 16)
    small.weight.data = adapt_patch_embedding(big.weight.data, 4)
    small.bias.data = big.bias.data
    patches = torch.randn(5, 3, 4, 4)
    enlarged = F.interpolate(patches, size=16, mode='bilinear', align_corners=False)
    torch.testing.assert_close(small(patches), big(enlarged), atol=1e-5, rtol=1e-4)


def positional_model(side: int = 3, heads: int = 2) -> VisionTransformer:
    torch.manual_seed(4)
    model = VisionTransformer(ViTConfig(img_size=4 * side, patch_size=4, embed_dim=8, depth=2, num_heads=heads, num_classes=3, positional=True))
    for p in model.parameters():
        p.data += 0.3 * torch.randn_like(p)
    return model.eval()


def test_positional_constants_belong_to_offsets():
    """Entry (i, j) of both constants depends on the offset from token j to token i alone, and every offset has its own number."""
    attention = positional_model().blocks[0].attn
    dense = attention.rel_pos()
    assert dense.shape == (2, 9, 9)
    table = attention.rel_pos.relative_position_bias_table
    for i in range(9):
        for j in range(9):
            dy, dx = i // 3 - j // 3, i % 3 - j % 3
            assert torch.equal(dense[:, i, j], table[(dy + 2) * 5 + dx + 2])


def test_positional_attention_is_masked_attention_plus_a_constant():
    """Against PyTorch's own attention with an additive mask, plus the constant weights by hand."""
    model = positional_model()
    attention, x = model.blocks[0].attn, torch.randn(2, 9, 8)
    q, k, v = attention.qkv(x).reshape(2, 9, 3, 2, 4).permute(2, 0, 3, 1, 4)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=attention.rel_pos()) + attention.rel_mix() @ v
    torch.testing.assert_close(attention.mix(x, None), expected.transpose(1, 2).reshape(2, 9, 8))
    squares = ((q @ k.transpose(-2, -1)) / 2 + attention.rel_pos()).square() / 9 + attention.rel_mix()
    torch.testing.assert_close(attention.mix(x, torch.zeros(2, 9)), (squares @ v).transpose(1, 2).reshape(2, 9, 8))


def test_a_plain_network_starts_a_positional_one_with_the_same_function():
    plain = VisionTransformer(ViTConfig(img_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2, num_classes=3))
    model = initial_model(replace(plain.config, positional=True), plain, same_labels=True)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(model(images), plain(images))


def test_square_units_add_a_quadratic_form_of_the_normalised_tokens():
    torch.manual_seed(5)
    model = VisionTransformer(ViTConfig(img_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=2, num_classes=3, square_units=3)).eval()
    block, x = model.blocks[0], torch.randn(2, 4, 8)
    with torch.no_grad():
        block.squares.fc1.bias.normal_()
        plain = block(x, None, None, '', None)
        block.squares.fc2.weight.normal_(std=1e-3)
        y = F.layer_norm(x, (8,), block.norm1.weight, block.norm1.bias, 1e-6)
        forms = [torch.einsum('c,bnc->bn', w, y) + b for w, b in zip(block.squares.fc1.weight, block.squares.fc1.bias)]
        added = sum(form[..., None] ** 2 * w for form, w in zip(forms, block.squares.fc2.weight.T))
        with_squares = x + block.attn(block.norm1(x), None, '', None) + added
        expected = with_squares + block.mlp(block.norm2(with_squares), None, '', None)
    assert (expected - plain).abs().max() > 1e-3
    torch.testing.assert_close(block(x, None, None, '', None), expected)


def test_a_network_that_is_given_square_units_does_what_it_did(tiny_model, tiny_images):
    model = initial_model(replace(tiny_model.config, square_units=5), tiny_model, same_labels=True)
    torch.testing.assert_close(model(tiny_images), tiny_model(tiny_images))
    assert model.blocks[0].squares.fc1.weight.std() > 0.1
    with pytest.raises(ValueError, match=r'square_units: expected 0..1024, got -1'):
        replace(tiny_model.config, square_units=-1)
    again = initial_model(model.config, model, same_labels=True)
    assert torch.equal(again.blocks[1].squares.fc1.weight, model.blocks[1].squares.fc1.weight)


def test_fresh_static_mixing_is_local():
    table = VisionTransformer(ViTConfig(img_size=16, patch_size=4, embed_dim=8, depth=1, num_heads=2, positional=True)).blocks[0].attn.rel_mix
    window = table.relative_position_bias_table.detach().clone().view(7, 7, 2)
    assert window[2:5, 2:5].abs().min() > 0
    window[2:5, 2:5] = 0
    assert not window.any()


def test_a_window_of_tokens_is_a_network_of_those_tokens_only(tiny_config, tiny_images):
    """Kept tokens see each other under their own positions and switches; keeping all of them changes nothing."""
    torch.manual_seed(3)
    model = VisionTransformer(replace(tiny_config, positional=True)).eval()
    switches = (torch.rand(2, 2, 4) > 0.5).float(), (torch.rand(2, 4) > 0.5).float()
    everything = model.features(tiny_images, switches)
    torch.testing.assert_close(model.features(tiny_images, switches, keep_tokens=torch.arange(4)), everything)
    window = torch.tensor([1, 3])
    kept = model.features(tiny_images, switches, keep_tokens=window)
    torn = tiny_images.clone()
    torn[:, :, :, :4] = 9.0  # tokens 0 and 2
    torch.testing.assert_close(model.features(torn, switches, keep_tokens=window), kept)
    assert kept.shape == (5, 2, 16) and not torch.allclose(kept, everything[:, window])
