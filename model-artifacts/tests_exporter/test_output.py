"""What lies in or beside --out and is not the artifact's is neither deleted, nor replaced, nor packed."""
import json
import os
import zipfile

import pytest

from exporter.bundle import bundle_path, check_bundle, write_bundle
from exporter.cli import main
from exporter.errors import UsageProblem
from exporter.output import FILES, artifact_files, check_output
from exporter.samples import Sample, write_samples

MANIFEST = json.dumps({'format': 'blindsight-manifest/1'})


@pytest.fixture
def old(tmp_path):
    """An artifact of before, with a person's own files beside its own."""
    out = tmp_path / 'my-model'
    out.mkdir()
    for name in FILES:
        (out / name).write_text(MANIFEST)
    write_samples(out, [Sample('cat-1.jpg', 'cat', 'set', b'cat'), Sample('dog-1.jpg', 'dog', 'set', b'dog')])
    (out / 'samples/own.jpg').write_bytes(b'own')
    (out / 'float.safetensors').write_bytes(b'float')
    (out / 'notes').mkdir()
    (out / 'notes/manifest.json').write_text(MANIFEST)
    return out


def test_only_the_artifacts_files_are_packed(old):
    check_bundle(old)
    with zipfile.ZipFile(write_bundle(old)) as bundle:
        names = bundle.namelist()
    assert names[0] == 'manifest.json'
    assert sorted(names) == sorted([*FILES, 'samples/cat-1.jpg', 'samples/dog-1.jpg', 'samples/samples.json'])
    check_bundle(old)  # is replaced by the next one


def test_only_samples_of_the_old_list_are_deleted(old):
    write_samples(old, [Sample('cow-1.jpg', 'cow', 'set', b'cow')])
    assert sorted(p.name for p in (old / 'samples').iterdir()) == ['cow-1.jpg', 'own.jpg', 'samples.json']


OUTSIDE = json.dumps([{'file': name} for name in ('../float.safetensors', '..', '', 'none.jpg')])


@pytest.mark.parametrize('listed', [OUTSIDE, '{', '3', '[3]', '[{}]'])
def test_a_list_of_samples_names_nothing_outside(old, listed):
    (old / 'samples/samples.json').write_text(listed)
    assert not {p.name for p in artifact_files(old)} & {'float.safetensors', 'samples', '..', 'own.jpg'}
    write_samples(old, [])
    assert (old / 'float.safetensors').exists() and (old / 'samples/own.jpg').exists()


def test_a_new_an_empty_and_an_artifacts_folder_are_written_to(old, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty/.DS_Store').touch()
    for out in (tmp_path / 'new', tmp_path / 'new/deep', tmp_path / 'empty', old):
        check_output(out, tmp_path / 'pictures', tmp_path / 'c.safetensors')
    check_output(tmp_path / 'pictures/new', tmp_path / 'pictures')
    assert not (tmp_path / 'new').exists()


def make(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'person')


@pytest.mark.parametrize(('lies', 'out', 'words'), [
    (['out/samples/own.jpg'], 'out', 'neither empty nor an artifact'),
    (['out/card.md'], 'out', 'neither empty nor an artifact'),
    (['out/manifest.json'], 'out', 'neither empty nor an artifact'),
    (['out'], 'out', 'out is a file'),
    (['out'], 'out/deep/er', 'out is a file'),
    (['c/model.safetensors'], 'c', 'model.safetensors, which is read, lies there'),
    (['c/model.safetensors'], '.', 'model.safetensors, which is read, lies there'),
    (['pictures/a.jpg'], 'pictures', 'pictures, which is read, lies there'),
    (['out.blindsight'], 'out', 'is no bundle of a model: move it away'),
    (['out.blindsight/a'], 'out', 'is no bundle of a model: move it away'),
])  # fmt: skip
def test_other_folders_are_refused_before_anything_is_read(lies, out, words, tmp_path):
    make(tmp_path, *lies)
    before = sorted(tmp_path.rglob('*'))
    inputs = [str(tmp_path / 'c/model.safetensors'), '--images', str(tmp_path / 'pictures'), '--out', str(tmp_path / out)]
    with pytest.raises(SystemExit, match=f'^exporter: --out .*{words}'):
        main(['import', *inputs])
    if 'blindsight' not in lies[0]:  # the other command writes none
        inputs[1] = '--data'
        with pytest.raises(SystemExit, match=f'^exporter: --out .*{words}'):
            main(inputs)
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('inside', ['samples', 'samples/cat-1.jpg', 'float.safetensors'])
def test_what_is_read_from_an_artifact_is_not_written_over(old, inside):
    with pytest.raises(UsageProblem, match='which is read, lies there'):
        check_output(old, old / inside)
    (old.parent / 'link').symlink_to(old / inside)
    with pytest.raises(UsageProblem, match='which is read, lies there'):
        check_output(old, old.parent / 'link')


def test_a_bundle_that_is_read_is_not_replaced(old):
    with pytest.raises(UsageProblem, match='my-model.blindsight, which is read, would be replaced'):
        check_bundle(old, write_bundle(old))


def test_the_bundle_lies_beside_the_folder_however_it_is_called(old, monkeypatch):
    monkeypatch.chdir(old)
    assert bundle_path(type(old)('.')) == bundle_path(old) == old.parent / 'my-model.blindsight'


def test_folders_in_place_of_files_are_refused(old):
    (old / 'weights.bin').unlink()
    (old / 'weights.bin').mkdir()
    with pytest.raises(UsageProblem, match='weights.bin is a folder: move it away'):
        check_output(old)


@pytest.mark.parametrize('locked', ['.', 'my-model', 'my-model/weights.bin', 'my-model/samples', 'my-model.blindsight'])
def test_what_cannot_be_written_is_said_first(old, locked, monkeypatch):
    write_bundle(old)
    place, access = (old.parent / locked).resolve(), os.access
    monkeypatch.setattr('os.access', lambda path, mode: type(place)(path) != place and access(path, mode))  # root may write anywhere
    out = old.parent / 'new' if locked == '.' else old
    with pytest.raises(SystemExit, match=r'^exporter: --out .* is not writable'):
        main(['import', str(old.parent / 'c'), '--images', str(old.parent / 'pictures'), '--out', str(out)])
