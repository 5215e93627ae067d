"""`python -m exporter import`, as documented, of every kind of checkpoint that people have."""
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import ORDINARY, REFUSED, Recipe, write
from PIL import Image
from typescript import has_node, securely, typescript

from exporter.cli import main
from exporter.images import Preprocessing
from exporter.pictures import Labels, PicturesProblem, choose, find_pictures, read_labels
from exporter.samples import JPEG_STEPS, MOST_BYTES, MOST_SHARED, for_strangers
from exporter.simulate import Simulation

ROOT = Path(__file__).resolve().parents[2]


def make_pictures(folder, count=14, size=(80, 64), seed=0):
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        coarse = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f'{i:02}.jpg')
    return folder


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp('pictures'))


def run(path, pictures, out, capsys, *more):
    main(['import', str(path), '--images', str(pictures), '--out', str(out), *more])
    said = capsys.readouterr()
    return json.loads(said.out), said.err


@pytest.mark.parametrize('name', ORDINARY)
def test_an_ordinary_checkpoint_is_imported(name, pictures, tmp_path, capsys):
    path, recipe, state = write(tmp_path / 'checkpoint', name)
    out = tmp_path / 'my-model'
    figures, said = run(path, pictures, out, capsys, '--calibration', '10', '--evaluate', '3', '--samples', '2')
    assert figures['floatDifference'] < 1e-3
    assert figures['rmsLogitError'] < 0.05 * figures['logitSpread']
    assert 'heads' in said and 'config.json' in said and 'softmax rows by' in said
    manifest = json.loads((out / 'manifest.json').read_text())
    assert manifest['architecture']['heads'] == recipe.heads and len(manifest['labels']) == recipe.classes
    with zipfile.ZipFile(out.parent / 'my-model.blindsight') as bundle:
        assert bundle.namelist()[0] == 'manifest.json' and set(bundle.namelist()) > {'weights.bin', 'weights.json', 'model.onnx', 'card.md'}
    # The integers are those of the network that the checkpoint's own names stand for, and TypeScript's to the last unit.
    simulation = Simulation.load(out)
    preprocessing = Preprocessing.from_json(manifest['preprocessing'])
    images = np.stack([preprocessing.apply(Image.open(pictures / f'{i:02}.jpg')) for i in range(2)])
    logits = simulation.run(images)
    normalised = (torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5
    expected = recipe.forward({key: tensor.double() for key, tensor in state.items()}, normalised).numpy()
    assert np.sqrt(np.square(logits - expected).mean()) < 0.05 * expected.std()
    if has_node():
        np.testing.assert_array_equal(typescript(out, images), logits)
        # Truncation rounds by chance: a private answer is near the integers' and is not theirs to the last unit.
        answer = securely(out, pictures / '00.jpg')
        assert answer['correlations'] == 'two-party'
        assert np.sqrt(np.square(answer['logits'] - expected[0]).mean()) < 0.05 * expected.std()
        assert answer['labelIndex'] == np.argmax(answer['logits'])


def test_samples_are_pictures_alone(tmp_path, capsys):
    folder = make_pictures(tmp_path / 'Jane Doe', count=5, size=(1600, 900))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, 'Jane Doe at home'  # turned; ImageDescription
    for file in folder.iterdir():
        Image.open(file).save(file, exif=exif)
    (folder / '00.jpg').write_bytes((folder / '00.jpg').read_bytes()[:2000])
    path, _, _ = write(tmp_path / 'checkpoint', 'nested .pth')
    out = tmp_path / 'my-model'
    _, said = run(path, folder, out, capsys, '--calibration', '5', '--evaluate', '5', '--samples', '5')
    assert 'left out' in said and '4 of the pictures go into the artifact' in said
    index = json.loads((out / 'samples/samples.json').read_text())
    assert len(index) == 4
    for entry in index:
        data = (out / 'samples' / entry['file']).read_bytes()
        assert b'Jane' not in data + json.dumps(entry).encode() and len(data) < 2**19
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (576, 1024) and not picture.getexif()


def test_samples_are_what_a_guests_tab_takes():
    """`sampleLimits` of the client; noise is what JPEG makes least smaller."""
    limits = (ROOT / 'client/src/session/ownSamples.ts').read_text('utf-8')
    assert f'pictures: {MOST_SHARED},' in limits and 'pictureBytes: 2 ** 19,' in limits and MOST_BYTES == 2**19
    rng = np.random.default_rng(0)
    for shape in ((1024, 1024, 3), (900, 1600, 3), (2000, 3000, 3), (400, 400, 3), (128, 128, 3), (1, 3000, 3)):
        noise = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
        out = io.BytesIO()
        noise.save(out, 'PNG')
        suffix, data = for_strangers(out.getvalue())
        with Image.open(io.BytesIO(data)) as picture:
            assert len(data) <= MOST_BYTES and max(picture.size) >= min(512, *noise.size)
            assert suffix == {'PNG': '.png', 'JPEG': '.jpg'}[picture.format]
    side, quality = JPEG_STEPS[-1]  # nothing comes behind it: black and white noise is the longest that there is
    Image.fromarray(rng.choice(np.array([0, 255], np.uint8), (side, side, 3))).save(out := io.BytesIO(), 'JPEG', quality=quality)
    assert len(out.getvalue()) <= MOST_BYTES / 2


def test_an_import_in_place_of_another_leaves_a_persons_own_files(pictures, tmp_path, capsys):
    path, _, _ = write(tmp_path / 'checkpoint', 'nested .pth')
    out, arguments = tmp_path / 'my-model', ('--calibration', '10', '--evaluate', '3', '--samples')
    run(path, pictures, out, capsys, *arguments, '3', '--public-blocks', '1')
    own = {out / 'samples/own.jpg', out / 'notes.txt', out / 'float/model.safetensors'}
    for file in own:
        file.parent.mkdir(exist_ok=True)
        file.write_text('own')
    run(path, pictures, out, capsys, *arguments, '1', '--title', 'cats\x1b and\u202e dogs', '--labels', str(labels_file(tmp_path, 10)))
    assert all(file.read_text() == 'own' for file in own)
    with zipfile.ZipFile(tmp_path / 'my-model.blindsight') as bundle:
        packed = set(bundle.namelist())
    there = {file.relative_to(out).as_posix() for file in out.rglob('*') if file.is_file() and file not in own}
    assert packed == there and 'public.onnx' not in packed and sum(name.startswith('samples/') for name in packed) == 2
    manifest = json.loads((out / 'manifest.json').read_text('utf-8'))
    assert manifest['title'].startswith('cats and dogs: ') and manifest['labels'][:2] == ['"Rex', '🦈' * 40]


def test_an_import_that_was_interrupted_is_given_again(pictures, tmp_path, capsys, monkeypatch):
    path, _, _ = write(tmp_path / 'checkpoint', 'nested .pth')
    arguments = ('--calibration', '10', '--evaluate', '3', '--samples', '2')

    def stop(*_):
        raise KeyboardInterrupt

    for out in ('first', 'first', 'kept'):
        there = {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()}
        for step in ('publish', 'evaluate', 'write_imported_card'):
            with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                patched.setattr(f'exporter.commands.checkpoints.{step}', stop)
                run(path, pictures, tmp_path / out, capsys, *arguments, '--public-blocks', '1')
            assert {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()} == there
        run(path, pictures, tmp_path / out, capsys, *arguments)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['checkpoint', 'first', 'first.blindsight', 'kept', 'kept.blindsight']


def test_samples_do_not_come_to_lie_among_the_pictures(tmp_path):
    folder = make_pictures(tmp_path / 'pictures')
    path, _, _ = write(tmp_path / 'checkpoint', 'nested .pth')
    with pytest.raises(SystemExit, match='exporter: --out .*my-model: lies in .*pictures, whose pictures are read'):
        main(['import', str(path), '--images', str(folder), '--out', str(folder / 'my-model')])
    assert len([*folder.iterdir()]) == 14


def labels_file(folder, classes):
    path = folder / 'labels.txt'
    path.write_text('\n'.join(['"Rex', '🦈' * 80, *(f'class {i}' for i in range(2, classes))]), 'utf-8')
    return path


@pytest.mark.parametrize(('options', 'words'), [
    (['--image-size', 'abc'], '--image-size abc: expected HEIGHTxWIDTH'),
    (['--image-size', '32x'], '--image-size 32x: expected HEIGHTxWIDTH'),
    (['--image-size', '32,64'], '--image-size 32,64: expected HEIGHTxWIDTH'),
    (['--image-size', ''], '--image-size : expected HEIGHTxWIDTH'),
    (['--image-size', '32x32x3'], '--image-size 32x32x3: expected HEIGHTxWIDTH'),
    (['--image-size', '0'], '--image-size 0: expected 4 to 512'),
    (['--image-size', '9' * 5000], 'expected HEIGHTxWIDTH'),
    (['--samples', '-1'], '--samples -1: expected 0 to 16'),
    (['--samples', '17'], '--samples 17: expected 0 to 16'),
    (['--calibration', '0'], '--calibration 0: expected 1 or more'),
    (['--evaluate', '-3'], '--evaluate -3: expected 1 or more'),
    (['--heads', '0'], '--heads 0: expected 1 or more'),
    (['--shorter-side', '-5'], '--shorter-side -5: expected 4 to 1024'),
    (['--epsilon', 'nan'], '--epsilon nan: expected 0 to 1'),
    (['--mean', 'nan'], '--mean: expected one or three numbers in 0..1'),
    (['--std', '0'], '--std: expected one or three numbers in 0..1, and not 0'),
    (['--title', 121 * 'x'], 'title: observed'),
    (['--name', 'My Model'], 'name: observed My Model'),
    (['--labels', '.'], 'cannot be read'),
    (['--labels', 'latin1.txt'], 'expected UTF-8'),
    (['--labels', 'broken.json'], 'no JSON'),
    (['--labels', 'empty.txt'], 'line 2: expected a label'),
])  # fmt: skip
def test_a_mistake_is_one_sentence_before_pictures_are_read(options, words, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('latin1.txt').write_bytes(b'B\xfccherregal\n')
    Path('broken.json').write_text('["tench", ')
    Path('empty.txt').write_text('n01\ttench\nn02\t\n')
    monkeypatch.setattr('exporter.commands.checkpoints.load', None)
    path, _, _ = write(tmp_path / 'c', 'nested .pth')
    with pytest.raises(SystemExit) as ended:
        main(['import', str(path), '--images', str(pictures), '--out', str(tmp_path / 'out'), *options])
    said = str(ended.value.code)
    assert said.startswith('exporter: ') and words in said and '\n' not in said
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('blocks', [0, 1, 2])
def test_a_public_part_is_what_the_first_blocks_compute(blocks, pictures, tmp_path, capsys):
    path, recipe, state = write(tmp_path / 'checkpoint', 'nested .pth')
    out = tmp_path / 'my-model'
    run(path, pictures, out, capsys, '--calibration', '10', '--evaluate', '3', '--samples', '2', '--public-blocks', str(blocks))
    manifest = json.loads((out / 'manifest.json').read_text())
    assert manifest['publicPart']['blocks'] == blocks and manifest['publicPart']['bytes'] == (out / 'public.onnx').stat().st_size
    with zipfile.ZipFile(out.parent / 'my-model.blindsight') as bundle:
        assert 'public.onnx' in bundle.namelist()
    names = {tensor['name'] for tensor in json.loads((out / 'weights.json').read_text())['tensors']}
    assert {name.split('.')[1] for name in names if name.startswith('blocks')} == {str(i) for i in range(blocks, recipe.depth)}
    assert 'prefix' not in names and 'patch_embed.weight' not in names
    preprocessing = Preprocessing.from_json(manifest['preprocessing'])
    images = np.stack([preprocessing.apply(Image.open(pictures / f'{i:02}.jpg')) for i in range(2)])
    logits = Simulation.load(out).run(images)
    normalised = (torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5
    expected = recipe.forward({key: tensor.double() for key, tensor in state.items()}, normalised).numpy()
    assert np.sqrt(np.square(logits - expected).mean()) < 0.05 * expected.std()
    if has_node():
        # Two engines compute the public part, so that a unit of the stream may fall on either side.
        np.testing.assert_allclose(typescript(out, images), logits, atol=0.02 * expected.std())


def test_there_are_no_more_public_blocks_than_blocks(pictures, tmp_path, capsys):
    path, recipe, _ = write(tmp_path / 'checkpoint', 'nested .pth')
    with pytest.raises(SystemExit, match=f'public blocks.*0 to {recipe.depth}'):
        run(path, pictures, tmp_path / 'out', capsys, '--public-blocks', '9')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', REFUSED)
def test_what_is_not_supported_is_refused_by_name(name, pictures, tmp_path):
    recipe, words = REFUSED[name]
    with pytest.raises(SystemExit, match=f'exporter: {words}'):
        main(['import', str(recipe.write(tmp_path / 'c', recipe.state())), '--images', str(pictures), '--out', str(tmp_path / 'out')])
    assert not (tmp_path / 'out').exists()


def test_a_folder_without_pictures_is_said(tmp_path):
    with pytest.raises(SystemExit, match='exporter: .*no picture in it: expected .jpg'):
        recipe = Recipe()
        main(['import', str(recipe.write(tmp_path / 'c', recipe.state())), '--images', str(tmp_path / 'c'), '--out', str(tmp_path / 'out')])


def test_normalisation_and_interpolation_are_never_guessed(pictures, tmp_path):
    recipe = Recipe()
    path = recipe.write(tmp_path / 'c', recipe.state())
    (path / 'config.json').unlink()
    arguments = ['import', str(path), '--images', str(pictures), '--out', str(tmp_path / 'out'), '--heads', '3', '--shorter-side', '36']
    everything = 'mean unknown .*std unknown .*interpolation unknown .*expected --mean, --std, --interpolation$'
    with pytest.raises(SystemExit, match=everything):  # in one sentence
        main(arguments)
    with pytest.raises(SystemExit, match='exporter: mean unknown .*expected --mean, --std$'):
        main([*arguments, '--interpolation', 'bicubic'])


def test_labels_by_name_synset_or_number(tmp_path):
    (tmp_path / 'classes.tsv').write_text('0\tn01440764\ttench, Tinca tinca\n1\tn01443537\tgoldfish\n')
    (tmp_path / 'lines.txt').write_text('tench\ngoldfish\n')
    (tmp_path / 'dict.json').write_text('{"0": "tench", "1": "goldfish"}')
    assert [read_labels(tmp_path / 'classes.tsv').index(word) for word in ('n01443537', 'Goldfish', 'tinca_tinca', '0', 'cat')] == [1, 1, 0, 0, -1]
    for file in ('lines.txt', 'dict.json'):
        assert read_labels(tmp_path / file).names == ['tench', 'goldfish']
    with pytest.raises(PicturesProblem, match='no such file of labels'):
        read_labels(tmp_path / 'nothing.txt')


@pytest.mark.parametrize('zipped', [False, True])
def test_pictures_are_found_in_any_folders(tmp_path, zipped):
    folder = tmp_path / 'set'
    for part in ('train/goldfish', 'val/tench', 'val/other'):
        make_pictures(folder / part, 3, (8, 8))
    (folder / 'val/tench/notes.txt').write_text('no picture')
    path = folder
    if zipped:
        path = tmp_path / 'set.zip'
        with zipfile.ZipFile(path, 'w') as archive:
            for file in folder.rglob('*.*'):
                archive.write(file, f'deep/{file.relative_to(tmp_path)}')
    found = find_pictures(path, Labels.of(['tench', 'goldfish']))
    assert sorted((p.split, p.label) for p in found) == [*[('test', -1)] * 3, *[('test', 0)] * 3, *[('train', 1)] * 3]
    chosen = choose(found, 10, 10)
    assert {p.split for p in chosen.calibration} == {'train'} and {p.split for p in chosen.held_out} == {'test'} and not chosen.overlaps
    assert found[0].read()[:2] == b'\xff\xd8'


def test_without_a_split_pictures_are_held_out():
    pictures = find_pictures(ROOT / 'model-artifacts/zoo/cifar10/samples', Labels.of(['a', 'b']))
    chosen = choose(pictures, 100, 3)
    assert len(chosen.held_out) == 3 and len(chosen.calibration) == len(pictures) - 3
    assert not {p.name for p in chosen.held_out} & {p.name for p in chosen.calibration}
