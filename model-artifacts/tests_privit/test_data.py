"""Decoding, splits, and augmentation that moves pixels but invents none."""
import copy
import io
import struct
import zipfile
import zlib

import pytest
import torch
from PIL import Image

from privit import augment
from privit.batches import batch_indices, draw_seed
from vit.data import IMAGE_SETS, ImageSetInfo, load_splits, stratified_holdout


@pytest.fixture
def two_colours(tmp_path, monkeypatch):
    """A zip of 8x12 JPEGs, red ones and blue ones, in train/ and val/."""
    info = ImageSetInfo('colours', 'colours', 'colours.zip', 8, ['deep red', 'blue'], (0.0,) * 3, (1.0,) * 3, 4)
    monkeypatch.setitem(IMAGE_SETS, 'colours', info)
    with zipfile.ZipFile(tmp_path / 'colours.zip', 'w') as archive:
        for split, count in (('train', 6), ('val', 2)):
            for label, colour in (('deep red', (200, 0, 0)), ('blue', (0, 0, 200))):
                for i in range(count):
                    buffer = io.BytesIO()
                    Image.new('RGB', (12, 8), colour).save(buffer, 'JPEG')
                    archive.writestr(f'{split}/{label}/{i}.jpg', buffer.getvalue())
    return tmp_path


def test_a_zip_becomes_three_splits_with_its_labels_in_order(two_colours):
    for _ in range(2):  # the second time from the cache
        splits = load_splits('colours', two_colours, two_colours / 'cache')
        assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [8, 4, 4]
        for split in (splits.train, splits.validation, splits.test):
            assert split.images.shape[1:] == (3, 8, 8)
            reddish = split.images[:, 0].float().mean((1, 2)) > split.images[:, 2].float().mean((1, 2))
            assert torch.equal(reddish, split.labels == 0)
        assert splits.validation.labels.bincount().tolist() == [2, 2]


def test_fewer_images_may_be_held_out_and_they_are_among_the_usual_ones(two_colours):
    fewer = load_splits('colours', two_colours, two_colours / 'cache', 2)
    assert [len(s) for s in (fewer.train, fewer.validation, fewer.test)] == [10, 2, 4]
    labels = torch.arange(100) % 5
    few, usual = (set(stratified_holdout(labels, count)[0].tolist()) for count in (10, 40))
    assert len(few) == 10 and few < usual
    for count in (1, 7):
        with pytest.raises(ValueError, match=rf'expected 2\.\.6, got {count}'):
            load_splits('colours', two_colours, two_colours / 'cache', count)
    with pytest.raises(ValueError, match='made up apart'):
        load_splits('synthetic', two_colours, None, 10)


def test_missing_files_and_names_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='CIFAR-10'):
        load_splits('cifar10', tmp_path, tmp_path / 'cache')
    with pytest.raises(ValueError, match="got 'cifar11'"):
        load_splits('cifar11', tmp_path)


def test_random_crops_are_windows_of_the_reflected_image_or_its_mirror():
    images = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(20, 3, 8, 8)
    crops = augment.random_crop_flip(images, 2, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images[:1].float(), (2,) * 4, mode='reflect')[0, 0]
    windows = [padded[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    windows += [w.flip(1) for w in windows]
    for crop in crops[:, 0]:
        assert any(torch.equal(crop, w) for w in windows)
    assert len({tuple(c.flatten().tolist()) for c in crops[:, 0]}) > 5


def test_resized_crops_stay_inside_and_cover_the_wanted_area():
    ramp = torch.linspace(0, 255, 40).expand(64, 3, 40, 40)  # grey level = column
    crops = augment.random_resized_crop_flip(ramp, 32, 0.35, torch.Generator().manual_seed(0))
    widths = (crops[:, 0, 0, -1] - crops[:, 0, 0, 0]).abs() / 255  # part of the image's width, up to half a pixel a side
    assert crops.min() >= 0 and crops.max() <= 255
    assert widths.min() > 0.35**0.5 * 0.75**0.5 - 0.08 and widths.max() <= 1


@pytest.mark.parametrize('probabilities', [(1.0, 0.0), (0.0, 1.0), (0.5, 0.3), (0.0, 0.0)])
def test_blends_mix_labels_as_they_mix_pixels(probabilities):
    images = (torch.arange(32) % 2).float().view(32, 1, 1, 1).expand(32, 3, 16, 16)  # each the opposite of its partner
    targets = torch.eye(2)[torch.arange(32) % 2]
    mixed, own = augment.blend(images, *probabilities, torch.Generator().manual_seed(3))
    torch.testing.assert_close(mixed.mean((1, 2, 3)), augment.blend_targets(targets, own)[:, 1])
    flat = mixed.flatten(1).amax(1) == mixed.flatten(1).amin(1)
    whole = flat & ((mixed[:, 0, 0, 0] == 0) | (mixed[:, 0, 0, 0] == 1))
    if probabilities[0] == 1:
        assert 20 <= int((~flat).sum())  # few squares cover nothing or all
    if probabilities[1] == 1:
        assert flat.all() and not whole.any() and own.std() > 0.2
    if sum(probabilities) == 0:
        assert torch.equal(mixed, images) and (own == 1).all()
    if 0 < sum(probabilities) < 1:
        assert 0 < int(whole.sum()) < 20 and (flat & ~whole).any() and (~flat).any()


def test_blend_rejects_probabilities_above_one():
    with pytest.raises(ValueError, match='sum is in 0..1, got 0.8 and 0.3'):
        augment.blend(torch.zeros(2, 3, 4, 4), 0.8, 0.3, torch.Generator())


def test_warp_turns_about_the_centre_and_leaves_the_rest_alone():
    dot = torch.zeros(64, 3, 33, 33)
    dot[:, :, 15:18, 15:18] = 200.0
    warped = augment.warp(dot, 1.0, torch.Generator().manual_seed(2))
    assert torch.allclose(warped[:, :, 16, 16], torch.tensor(200.0), atol=25)
    edge = torch.zeros(64, 3, 33, 33)
    edge[..., 17:] = 255.0
    turned = augment.warp(edge, 1.0, torch.Generator().manual_seed(2))
    lean = (turned[:, 0, 2] - turned[:, 0, 30]).sum(-1)  # pixels by which the edge moved between two rows, times 255
    assert lean.max() > 255 * 3 and lean.min() < -255 * 3 and lean.abs().max() < 255 * 12  # tan 15 degrees of 28 rows, stretched: 9
    some = augment.warp(edge, 0.3, torch.Generator().manual_seed(3))
    changed = (some - edge).abs().amax((1, 2, 3)) > 1
    assert 8 < int(changed.sum()) < 32
    assert torch.equal(some[~changed], edge[~changed])
    assert warped.min() >= 0 and turned.max() <= 255
    assert torch.equal(augment.warp(edge, 0.0, torch.Generator().manual_seed(3)), edge)
    with pytest.raises(ValueError, match='probability in 0..1, got 1.5'):
        augment.warp(edge, 1.5, torch.Generator())


def test_jitter_of_strength_zero_changes_nothing():
    images = torch.rand(2, 3, 4, 4) * 255
    torch.testing.assert_close(augment.jitter(images, 0.0, torch.Generator()), images)


def picture(side: int, shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new('RGB', (side, side + 4), (shade, shade, shade)).save(buffer, 'PNG')
    return buffer.getvalue()


@pytest.fixture
def own_set(tmp_path):
    """Two classes whose names sort by number, one folder around everything, images in a folder below their class."""
    root = tmp_path / 'My Photos'
    for split, count in (('train', 4), ('val', 2)):
        for label, shade in (('kind 9', 40), ('kind 10', 200)):
            folder = root / 'all' / split / label / 'images'
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f'{i}.png').write_bytes(picture(12, shade))
    (root / 'all' / 'train' / 'notes.txt').write_text('no image')
    return root


def test_a_folder_of_ones_own_needs_no_source_to_be_edited(own_set, tmp_path):
    cache = tmp_path / 'cache'
    splits = load_splits(str(own_set), tmp_path, cache, 2)
    assert splits.train.info.labels == ['kind 9', 'kind 10'] and splits.train.info.size == 12
    assert (splits.train.info.name, splits.train.info.title) == ('my-photos', 'My Photos')
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [6, 2, 4]
    for split in (splits.train, splits.validation, splits.test):
        assert torch.equal(split.images[:, 0, 0, 0] > 100, split.labels == 1)
    assert load_splits(str(own_set), tmp_path, cache, 2, 8).train.images.shape[1:] == (3, 8, 8)
    (own_set / 'all' / 'train' / 'kind 9' / 'images' / 'new.png').write_bytes(picture(12, 40))
    assert len(load_splits(str(own_set), tmp_path, cache, 2).train) == 7  # not from the cache of what it was
    archive = tmp_path / 'same.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        for path in own_set.rglob('*.png'):
            file.write(path, path.relative_to(own_set))
    from_zip, from_folder = (load_splits(str(p), tmp_path, cache, 2).test for p in (archive, own_set))
    assert torch.equal(from_zip.images, from_folder.images) and torch.equal(from_zip.labels, from_folder.labels)


def test_tiny_imagenets_layout_with_annotated_validation_images_and_words(tmp_path):
    root = tmp_path / 'tiny-imagenet-200'
    for synset, shade in (('n02', 200), ('n01', 40)):
        (root / 'train' / synset / 'images').mkdir(parents=True)
        for i in range(4):
            (root / 'train' / synset / 'images' / f'{synset}_{i}.JPEG').write_bytes(picture(16, shade))
    (root / 'val' / 'images').mkdir(parents=True)
    (root / 'test' / 'images').mkdir(parents=True)
    for i, shade in enumerate((200, 40, 200)):
        (root / 'val' / 'images' / f'val_{i}.JPEG').write_bytes(picture(16, shade))
        (root / 'test' / 'images' / f'test_{i}.JPEG').write_bytes(picture(16, shade))  # nobody says what these are
    (root / 'val' / 'val_annotations.txt').write_text('val_0.JPEG\tn02\t0\t0\nval_1.JPEG\tn01\t0\t0\nval_2.JPEG\tn02\t0\t0\n')
    (root / 'words.txt').write_text('n01\tcrane, a bird\nn02\tcrane\nn03\tnot here\n')
    splits = load_splits(str(root), tmp_path, tmp_path / 'cache', 2)
    assert splits.test.info.labels == ['crane (n01)', 'crane (n02)']  # two of the same name stay two
    assert torch.equal(splits.test.images[:, 0, 0, 0] > 100, splits.test.labels == 1) and len(splits.test) == 3
    assert len(splits.train) == 6


def test_one_image_of_each_class_leaves_none_to_hold_out(tmp_path):
    for split, kind in (('train', 'a'), ('train', 'b'), ('val', 'a'), ('val', 'b')):
        (tmp_path / 'set' / split / kind).mkdir(parents=True)
        (tmp_path / 'set' / split / kind / '0.png').write_bytes(picture(16, 40))
    with pytest.raises(ValueError, match='at least two training images of each class'):
        load_splits(str(tmp_path / 'set'), tmp_path, tmp_path / 'cache')


def test_folders_that_are_no_image_set_say_what_is_missing(own_set, tmp_path):
    cache = tmp_path / 'cache'
    with pytest.raises(ValueError, match="would leave no training image of 'kind 9'"):
        for i in range(3):
            (own_set / 'all' / 'train' / 'kind 9' / 'images' / f'{i}.png').unlink()
        load_splits(str(own_set), tmp_path, cache, 2)
    (own_set / 'all' / 'val' / 'kind 9').rename(own_set / 'all' / 'val' / 'kind 11')
    with pytest.raises(ValueError, match="'kind 11' is among the held-out classes"):
        load_splits(str(own_set), tmp_path, cache, 2)
    (own_set / 'all' / 'val').rename(own_set / 'all' / 'elsewhere')
    with pytest.raises(ValueError, match=r'expected held-out images in val/CLASS/ or test/CLASS/'):
        load_splits(str(own_set), tmp_path, cache, 2)
    (own_set / 'all' / 'elsewhere').rename(own_set / 'all' / 'test')
    (own_set / 'all' / 'test' / 'kind 11').rename(own_set / 'all' / 'test' / 'kind 9')
    (own_set / 'all' / 'test' / 'kind 9' / 'images' / '0.png').write_text('torn')
    with pytest.raises(ValueError, match=r'0\.png cannot be read as an image'):
        load_splits(str(own_set), tmp_path, cache, 2, 12)
    for image in (own_set / 'all' / 'train').rglob('*.png'):
        image.write_text('torn')
    with pytest.raises(ValueError, match=r'\.png cannot be read as an image'):  # already when the usual size is asked for
        load_splits(str(own_set), tmp_path, tmp_path / 'another', 2)
    torn = own_set / 'all' / 'test' / 'kind 9' / 'images' / '0.png'
    whole = picture(12, 40)
    for image in (own_set / 'all' / 'train').rglob('*.png'):
        image.write_bytes(whole)
    # Not all of Pillow's errors are OSErrors: a header of 900 million pixels ends in a DecompressionBombError.
    header = b'IHDR' + struct.pack('>2I5B', 30_000, 30_000, 8, 2, 0, 0, 0)
    torn.write_bytes(whole[:8] + struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header)) + whole[33:])
    with pytest.raises(ValueError, match=r'all: .*0\.png cannot be read as an image'):
        load_splits(str(own_set / 'all'), tmp_path, tmp_path / 'third', 2, 12)
    text = tmp_path / 'x.zip'
    text.write_text('no zip')
    with pytest.raises(ValueError, match='expected a folder or a zip'):
        load_splits(str(text), tmp_path, cache)


def test_a_run_that_goes_on_from_anothers_result_draws_anew():
    torch.manual_seed(1)
    start, result = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    first, again, after = (batch_indices(1000, 32, 0, draw_seed(0, model))[1].tolist() for model in (start, copy.deepcopy(start), result))
    assert first == again != after
    assert draw_seed(0, start) != draw_seed(1, start)
