"""The command as people run it, on a made-up image set."""
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from exporter.cli import main
from exporter.images import ImageFiles, Preprocessing
from exporter.measure import measure
from exporter.samples import choose_samples
from exporter.tiny import LABELS, tiny_images
from privit.cli import main as privit
from vit.checkpoint import save_checkpoint
from vit.data import ImageSetInfo, image_set_info


@pytest.fixture
def image_zip(tmp_path):
    path = tmp_path / 'set.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for split, count, seed in (('train', 40, 1), ('test', 12, 2)):
            for i, image in enumerate(tiny_images(count, seed)):
                buffer = io.BytesIO()
                Image.fromarray(image).save(buffer, 'JPEG', quality=90)
                archive.writestr(f'{split}/{LABELS[i % 4]}/{i:03}.jpg', buffer.getvalue())
    return path


def test_export_writes_every_file(checkpoint, image_zip, tmp_path, capsys):
    path, out = tmp_path / 'tiny.safetensors', tmp_path / 'out'
    config = {**checkpoint.model.config.to_dict(), **checkpoint.description, 'validation_accuracy': 0.25}
    save_checkpoint(path, checkpoint.model.state_dict(), checkpoint.switches, config)
    main([str(path), '--data', str(image_zip), '--out', str(out), '--name', 'other', '--calibration', '40', '--evaluate', '12', '--samples-per-class', '1'])
    figures = json.loads(capsys.readouterr().out)
    assert figures['images'] == 12 and figures['agreementTop1'] >= 0.9
    samples = json.loads((out / 'samples/samples.json').read_text())
    assert [s['label'] for s in samples] == LABELS and all((out / 'samples' / s['file']).exists() for s in samples)
    # Hard is what the network itself, by its ONNX file, gives another label.
    session = onnxruntime.InferenceSession(out / 'model.onnx', providers=['CPUExecutionProvider'])
    shown = [np.asarray(Image.open(out / 'samples' / s['file'])).transpose(2, 0, 1)[None].astype(np.float32) for s in samples]
    answers = [LABELS[int(session.run(None, {'image': image})[0].argmax())] for image in shown]
    assert [s.get('hard', False) for s in samples] == [answer != s['label'] for answer, s in zip(answers, samples)]
    assert any(s.get('hard') for s in samples)
    assert json.loads((out / 'golden.json').read_text())['sample'] == 'samples/circle-1.jpg'
    card = (out / 'card.md').read_text()
    assert card.startswith('# other\n') and json.loads((out / 'manifest.json').read_text())['name'] == 'other'
    assert 'top-1 agreement' in card and 'logit error, ONNX' in card and '| images with a value outside its range | 0 |' in card
    for file in ('manifest.json', 'weights.json', 'weights.bin', 'model.onnx', 'golden.bin'):
        assert (out / file).stat().st_size > 0


def test_broken_pictures_are_left_out_of_an_export_and_of_a_measurement(checkpoint, image_zip, tmp_path, capsys):
    """A held-out one, one that calibrates, and one that would have been a sample."""
    path, out, broken = tmp_path / 'tiny.safetensors', tmp_path / 'out', tmp_path / 'broken.zip'
    save_checkpoint(path, checkpoint.model.state_dict(), checkpoint.switches, {**checkpoint.model.config.to_dict(), **checkpoint.description})
    sample = ImageFiles(image_zip, LABELS, Preprocessing(8, 8)).samples(1)[0][0]
    with zipfile.ZipFile(image_zip) as old, zipfile.ZipFile(broken, 'w') as new:
        for name in old.namelist():
            new.writestr(name, b'broken' if name in (sample, 'train/circle/000.jpg') else old.read(name))
    main([str(path), '--data', str(broken), '--out', str(out), '--calibration', '40', '--evaluate', '12', '--samples-per-class', '1'])
    said = capsys.readouterr()
    assert json.loads(said.out)['images'] == 11
    for words in ('1 of 4 pictures', '1 of 40 pictures', '1 of 12 pictures'):
        assert f'left out: {words} that cannot be read' in said.err
    assert 'domains from 39 training images' in (out / 'card.md').read_text() and len(json.loads((out / 'samples/samples.json').read_text())) == 3
    d = checkpoint.description
    info = ImageSetInfo('tiny', 'tiny', '', 8, d['labels'], tuple(d['mean']), tuple(d['std']), 0)
    assert measure(out, info, broken, 12)['images'] == 11


def test_an_artifact_is_measured_again_and_only_its_figures_change(checkpoint, image_zip, tmp_path):
    path, out = tmp_path / 'tiny.safetensors', tmp_path / 'out'
    config = {**checkpoint.model.config.to_dict(), **checkpoint.description, 'validation_accuracy': 0.25}
    save_checkpoint(path, checkpoint.model.state_dict(), checkpoint.switches, config)
    main([str(path), '--data', str(image_zip), '--out', str(out), '--calibration', '40', '--evaluate', '0', '--samples-per-class', '1'])
    before, manifest = (out / 'card.md').read_text(), (out / 'manifest.json').read_bytes()
    assert 'Over ' not in before
    d = checkpoint.description
    figures = measure(out, ImageSetInfo('tiny', 'tiny', '', 8, d['labels'], tuple(d['mean']), tuple(d['std']), 0), image_zip, 9)
    card = (out / 'card.md').read_text()
    assert card.startswith(before.rstrip('\n')) and (out / 'manifest.json').read_bytes() == manifest
    assert 'Over 9 random test images' in card and f"top-1, integers | {100 * figures['integerTop1']:.2f} %" in card
    assert 'logit error, ONNX' not in card  # of the ONNX file against itself


def test_an_export_that_was_interrupted_is_given_again(checkpoint, image_zip, tmp_path, capsys, monkeypatch):
    path, out = tmp_path / 'tiny.safetensors', tmp_path / 'out'
    save_checkpoint(path, checkpoint.model.state_dict(), checkpoint.switches, {**checkpoint.model.config.to_dict(), **checkpoint.description})
    arguments = [str(path), '--data', str(image_zip), '--out', str(out), '--calibration', '40', '--evaluate', '4', '--samples-per-class', '1']

    def full(*_):
        raise OSError(28, 'No space left on device')

    for _ in range(2):  # into a new folder, and in place of an artifact
        there = {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()}
        for step in ('write_samples', 'evaluate', 'write_card'):
            with monkeypatch.context() as patched, pytest.raises(SystemExit, match='^exporter: .*No space left'):
                patched.setattr(f'exporter.commands.export.{step}', full)
                main(arguments)
            assert {file: file.read_bytes() for file in tmp_path.rglob('*') if file.is_file()} == there
        main(arguments)
    assert (out / 'card.md').exists()


def test_a_model_that_does_not_fit_ends_with_one_sentence(checkpoint, image_zip, tmp_path):
    path = tmp_path / 'wild.safetensors'
    state = {name: tensor * 40 if 'qkv.weight' in name else tensor for name, tensor in checkpoint.model.state_dict().items()}
    config = {**checkpoint.model.config.to_dict(), **checkpoint.description, 'validation_accuracy': 0.25}
    save_checkpoint(path, state, checkpoint.switches, config)
    with pytest.raises(SystemExit, match='wild.safetensors does not fit the fixed-point plan: [a-z].* observed .* limit '):
        main([str(path), '--data', str(image_zip), '--out', str(tmp_path / 'out'), '--calibration', '20', '--evaluate', '0'])


def test_resize_is_pillows_bilinear_on_the_shorter_side():
    rng = np.random.default_rng(0)
    photograph = Image.fromarray(rng.integers(0, 256, (60, 90, 3), dtype=np.uint8))
    out = Preprocessing(20, 16).apply(photograph)
    expected = np.asarray(photograph.resize((30, 20), Image.Resampling.BILINEAR))[2:18, 7:23]
    np.testing.assert_array_equal(out, expected)


def test_a_set_within_a_folder_is_read_alike(image_zip, tmp_path):
    nested = tmp_path / 'nested.zip'
    with zipfile.ZipFile(image_zip) as old, zipfile.ZipFile(nested, 'w') as new:
        new.writestr('__MACOSX/set/train/circle/._000.jpg', b'no image')
        for name in old.namelist():
            new.writestr(f'set/{name}', old.read(name))
    a, b = (ImageFiles(path, LABELS, Preprocessing(8, 8)) for path in (image_zip, nested))
    np.testing.assert_array_equal(a.training(40).images, b.training(40).images)
    assert [data for _, data, _ in a.samples(1)] == [data for _, data, _ in b.samples(1)]


@pytest.fixture
def synsets(image_zip, tmp_path):
    """The same images as Tiny-ImageNet's are kept: a directory, classes by number with their words beside, val/ with its classes in a list."""
    root, listed = tmp_path / 'synsets', []
    with zipfile.ZipFile(image_zip) as old:
        for name in old.namelist():
            split, label, file = name.split('/')
            number = f'n{LABELS.index(label)}'
            path = root / f'train/{number}/images/{file}' if split == 'train' else root / f'val/images/{number}-{file}'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(old.read(name))
            listed += [f'{path.name}\t{number}\t0\t0'] if split == 'test' else []
    (root / 'val/val_annotations.txt').write_text('\n'.join(listed))
    (root / 'words.txt').write_text('\n'.join(f'n{i}\t{label}, of some kind' for i, label in enumerate(LABELS)))
    return root


def test_a_directory_of_synsets_is_the_same_set(image_zip, synsets):
    a, b = (ImageFiles(path, LABELS, Preprocessing(8, 8)) for path in (image_zip, synsets))
    for read in (lambda images: images.training(40), lambda images: images.held_out(12)):
        pairs = [sorted(zip(part.labels.tolist(), (image.tobytes() for image in part.images))) for part in map(read, (a, b))]
        assert pairs[0] == pairs[1]
    assert [label for _, _, label in b.samples(1)] == [0, 1, 2, 3]


def test_export_and_measure_take_a_directory(checkpoint, synsets, tmp_path, capsys):
    path, out = tmp_path / 'tiny.safetensors', tmp_path / 'out'
    info = image_set_info(str(synsets))
    description = {**checkpoint.description, 'labels': info.labels, 'mean': list(info.mean), 'std': list(info.std), 'validation_accuracy': 0.25}
    save_checkpoint(path, checkpoint.model.state_dict(), checkpoint.switches, {**checkpoint.model.config.to_dict(), **description})
    privit(['export', str(path), '--data', str(synsets), '--out', str(out), '--calibration', '40', '--evaluate', '0', '--samples-per-class', '1'])
    capsys.readouterr()
    privit(['measure', str(out), '--dataset', str(synsets), '--data', str(synsets), '--images', '9'])
    assert json.loads(capsys.readouterr().out)['images'] == 9


def test_of_many_classes_few_samples_ship(image_zip, monkeypatch):
    images = ImageFiles(image_zip, LABELS, Preprocessing(8, 8))
    all_of_them = images.samples(2)
    monkeypatch.setattr('exporter.images.MOST_SAMPLES', 3)
    few = images.samples(2)
    assert len(all_of_them) == 8 and len(few) == 3
    assert few == [sample for sample in all_of_them if sample in few] == images.samples(2)


def test_samples_of_labels_that_differ_by_signs_have_files_of_their_own(synsets):
    labels = ['a b', 'a-b', "a'b!", 'c']
    (synsets / 'words.txt').write_text('\n'.join(f'n{i}\t{i}' for i in range(4)))
    images = ImageFiles(synsets, ['0', '1', '2', '3'], Preprocessing(8, 8))
    samples = choose_samples(images, {'labels': labels, 'dataset': 'signs'}, 2)
    assert len({sample.file for sample in samples}) == 8 and samples[2].file == 'a-b-3.jpg'


def test_a_set_without_a_split_is_refused_by_name(image_zip, tmp_path):
    only = tmp_path / 'only-train.zip'
    with zipfile.ZipFile(image_zip) as old, zipfile.ZipFile(only, 'w') as new:
        for name in old.namelist():
            if name.startswith('train/'):
                new.writestr(name, old.read(name))
    with pytest.raises(ValueError, match='only-train.zip: expected held-out images in val/CLASS/ or test/CLASS/'):
        ImageFiles(only, LABELS, Preprocessing(8, 8))


def test_photographs_are_turned_and_laid_on_white():
    rng = np.random.default_rng(1)
    upright = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned left by a quarter
    buffer = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(buffer, 'PNG', exif=exif)
    np.testing.assert_array_equal(Preprocessing(8, 8).apply(Image.open(buffer)), np.asarray(upright))
    clear = Image.new('RGBA', (8, 8), (200, 0, 0, 0))
    assert (Preprocessing(8, 8).apply(clear) == 255).all()


@pytest.mark.parametrize(('options', 'words'), [
    (['--samples-per-class', '-1'], '--samples-per-class -1: expected 0 or more'),
    (['--calibration', '0'], '--calibration 0: expected 1 or more'),
    (['--evaluate', '-1'], '--evaluate -1: expected 0 or more'),
    (['--evaluations', 'none.json'], '--evaluations none.json: there is no such file'),
    (['--evaluations', __file__], '--evaluations .*: no JSON'),
    (['--evaluations', str(Path(__file__).parents[2] / 'package.json')], '--evaluations .*: expected what `privit evaluate` printed'),
    ([], 'expected --dataset|[Nn]o such file'),
    (['--data', 'none.zip'], 'none.zip|[Nn]o such file'),
])  # fmt: skip
def test_a_mistake_is_one_sentence(options, words, image_zip, tmp_path):
    with pytest.raises(SystemExit, match=f'^exporter: .*({words})'):
        main([str(tmp_path / 'none.safetensors'), '--data', str(image_zip), '--out', str(tmp_path / 'out'), *options])
    assert not (tmp_path / 'out').exists()


def test_folders_must_be_labels(image_zip):
    with pytest.raises(ValueError, match="folder 'cloud': expected one of"):
        ImageFiles(image_zip, LABELS[:3], Preprocessing(8, 8))
