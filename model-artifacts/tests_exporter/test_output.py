"""What lies in or beside --out and is not the artifact's is neither deleted, nor replaced, nor packed."""
import json
import os
import zipfile

import pytest

from exporter.bundle import bundle_path, check_bundle, write_bundle
from exporter.cli import main
from exporter.errors import UsageProblem
from exporter.output import FILES, artifact_files, check_output, is_artifact, replacing
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
    check_output(tmp_path / 'c/new', tmp_path / 'c')  # of a checkpoint's folder no more than its own files is read
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
    (['pictures/a.jpg'], 'pictures/new', 'lies in .*pictures, whose pictures are read, at any depth'),
    (['pictures/a.jpg'], 'c/../pictures/b/new', 'lies in .*pictures, whose pictures are read, at any depth'),
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


def tree(folder) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else b'' for p in folder.rglob('*')}


def write_next(folder) -> None:
    """An artifact without a public part, with a sample of the old one and a new one."""
    for name in set(FILES) - {'public.onnx'}:
        (folder / name).write_text(f'{MANIFEST[:-1]}, "next": "{name}"}}')
    write_samples(folder, [Sample('cow-1.jpg', 'cow', 'set', b'cow'), Sample('dog-1.jpg', 'dog', 'set', b'next dog')])


def test_an_artifact_comes_as_a_whole(old, tmp_path):
    for out in (tmp_path / 'new/deep', tmp_path / 'empty', old):
        before = tree(out)
        own = {name: data for name, data in before.items() if name in ('samples/own.jpg', 'float.safetensors', 'notes', 'notes/manifest.json')}
        (tmp_path / 'empty').mkdir(exist_ok=True)
        with replacing(out) as new:
            write_next(new)
            assert {name: data for name, data in tree(out).items() if not name.startswith('.')} == before
        with replacing(tmp_path / 'same') as new:
            write_next(new)
        assert tree(out) == tree(tmp_path / 'same') | own
    assert {p.name for p in tmp_path.iterdir()} == {'new', 'empty', 'same', 'my-model'} and is_artifact(old)


@pytest.mark.parametrize('out', ['my-model', 'empty', 'new', 'new/deep/er'])
@pytest.mark.parametrize('end', [KeyboardInterrupt, OSError, SystemExit])
def test_what_is_interrupted_leaves_no_trace(old, out, end, tmp_path):
    (tmp_path / 'empty').mkdir()
    before = tree(tmp_path)
    with pytest.raises(end), replacing(tmp_path / out) as new:
        (new / 'weights.bin').write_bytes(b'new')
        raise end
    assert tree(tmp_path) == before


@pytest.mark.parametrize('out', ['my-model', 'empty', 'new'])
def test_after_one_that_was_killed_the_next_is_written_and_clears_up(old, out, tmp_path, monkeypatch):
    (tmp_path / 'empty').mkdir()
    killed = replacing(tmp_path / out)
    (killed.__enter__() / 'weights.bin').write_bytes(b'killed')
    check_output(tmp_path / out)
    with replacing(tmp_path / out) as new:
        assert not any(new.iterdir())
        write_next(new)
    assert not [name for name in tree(tmp_path) if 'partial' in name]


@pytest.mark.parametrize('after', range(5))
@pytest.mark.parametrize('out', ['my-model', 'empty'])
def test_a_folder_is_an_artifacts_whenever_its_files_are_being_replaced(old, out, after, tmp_path, monkeypatch):
    (tmp_path / 'empty').mkdir()
    replace, done = os.replace, []

    def stop(source, target):
        if len(done) > after:
            raise KeyboardInterrupt
        done.append(replace(source, target))

    monkeypatch.setattr('os.replace', stop)
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / out) as new:
        write_next(new)
    monkeypatch.undo()
    check_output(tmp_path / out)
    with replacing(tmp_path / out) as new:
        write_next(new)
    with replacing(tmp_path / 'same') as new:
        write_next(new)
    assert tree(tmp_path / out).items() >= tree(tmp_path / 'same').items()


def test_a_bundle_comes_as_a_whole(old, tmp_path, monkeypatch):
    before = write_bundle(old).read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('zipfile.ZipFile.writestr', stop)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(old)
    assert bundle_path(old).read_bytes() == before and {p.name for p in tmp_path.iterdir()} == {'my-model', 'my-model.blindsight'}


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
