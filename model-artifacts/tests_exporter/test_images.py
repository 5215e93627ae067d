"""Odd picture files are seen as the tab and Node see them (test/vectors/pictures.json, which all three are held to); damaged ones are left out."""
import base64
import io
import json
import random
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from exporter import pictures
from exporter.commands.rounding import batches
from exporter.images import READ_FORMATS, ImageFiles, PictureError, Preprocessing, open_picture, to_rgb
from exporter.pictures import Labels, find_pictures, load
from vit.data import load_splits
from vit.folders import SUFFIXES

VECTORS = Path(__file__).parents[2] / 'test/vectors'
TABLE = json.loads((VECTORS / 'pictures.json').read_text())
LARGEST_DIFFERENCE = 2


def file_of(case: dict) -> bytes:
    file = (VECTORS / 'pictures' / case['file']).read_bytes()
    rest = case.get('metadataBytes', 0)
    metadata = b''
    while rest > 0:  # JPEG comments of the largest length that one can have
        length = min(rest, 65_533)
        metadata += b'\xff\xfe' + (length + 2).to_bytes(2, 'big') + bytes(length)
        rest -= length
    return file[:2] + metadata + file[2:]


@pytest.mark.parametrize('case', TABLE['cases'], ids=lambda case: f"{case['file']}-{case.get('metadataBytes', 0)}")
def test_odd_picture(case):
    preprocessing = Preprocessing(TABLE['side'], TABLE['side'])
    if 'problem' in case:
        with pytest.raises(PictureError):
            preprocessing.apply(open_picture(file_of(case)))
        return
    expected = np.frombuffer(base64.b64decode(case['rgb']), np.uint8).reshape(TABLE['side'], TABLE['side'], 3)
    seen = preprocessing.apply(open_picture(file_of(case)))
    assert np.abs(seen.astype(int) - expected).max() <= LARGEST_DIFFERENCE


def encoded(kind: str, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)).save(out, kind, **options)
    return out.getvalue()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E] = 6, 'at home'


@pytest.mark.parametrize('profile', [b'no profile', PROFILE[:200], bytes(128), PROFILE[:40] + bytes(40) + PROFILE[80:]])
def test_a_broken_profile_is_as_none(profile):
    seen, plain = (np.asarray(to_rgb(open_picture(encoded('PNG', **more)))) for more in ({'icc_profile': profile}, {}))
    np.testing.assert_array_equal(seen, plain)


def test_broken_metadata_do_not_turn():
    picture = to_rgb(open_picture(encoded('PNG', exif=EXIF)))
    assert picture.size == (24, 20)
    assert to_rgb(open_picture(encoded('PNG', exif=b'Exif\0\0MM\1*\0\0\0\x08'))).size == (20, 24)


def with_checksums(png: bytes) -> bytes:
    out, at = bytearray(png), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], 'big')
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, 'big')
        at = end + 4
    return bytes(out)


@pytest.mark.filterwarnings('ignore')
def test_a_damaged_picture_is_a_picture_error_or_a_picture():
    rng = random.Random(5)
    whole = {'exif': EXIF, 'icc_profile': PROFILE}
    files = [encoded(kind, **whole) for kind in ('PNG', 'JPEG', 'WEBP')] + [encoded('PNG', exif=EXIF), encoded('GIF')]
    for _ in range(3000):
        file = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(min(len(file), rng.choice([40, 200, 4000])))
            if rng.random() < 0.8:
                file[place] = rng.choice([0, 1, 255, rng.randrange(256)])
            else:
                del file[place : place + rng.randint(1, 8)]
        try:
            picture = open_picture(with_checksums(bytes(file)) if file.startswith(b'\x89PNG') else bytes(file))
            if picture.width * picture.height < 1 << 20:
                to_rgb(picture)
        except PictureError:
            pass


def zip_of(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / 'set.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return path


def damaged_zip(folder: Path) -> Path:
    """One good picture, and members with a wrong checksum, a password, a compression that nobody has, and data that are none."""
    picture = encoded('PNG')
    path = zip_of(folder, {f'{name}.png': picture for name in ('good', 'checksum', 'password', 'method', 'deflate')})
    data = bytearray(path.read_bytes())
    central = data.index(b'PK\1\2')
    for name, field, value in (('password', 8, 1), ('method', 10, 99), ('deflate', 10, 8)):
        entry = data.rindex(b'PK\1\2', central, data.index(f'{name}.png'.encode(), central))
        header = data.rindex(b'PK\3\4', 0, data.index(f'{name}.png'.encode()))
        data[entry + field] = data[header + field - 2] = value
    data[data.index(b'checksum.png') + 40] ^= 1
    path.write_bytes(data)
    return path


def test_members_of_a_zip_that_cannot_be_read_are_left_out_and_said(tmp_path):
    pictures = find_pictures(damaged_zip(tmp_path), Labels.of(['a', 'b']))
    images, read, problems = load(pictures, Preprocessing(8, 8))
    assert len(images.images) == 1 and [p.name for p in read] == ['good.png']
    assert sorted(p.split(':')[0] for p in problems) == ['checksum.png', 'deflate.png', 'method.png', 'password.png']
    assert all(len(p.splitlines()) == 1 for p in problems)


def test_files_of_a_folder_that_cannot_be_read_are_left_out_and_said(tmp_path):
    (tmp_path / 'good.png').write_bytes(encoded('PNG'))
    (tmp_path / 'gone.png').write_bytes(encoded('PNG'))
    pictures = find_pictures(tmp_path, Labels.of(['a', 'b']))
    (tmp_path / 'gone.png').unlink()
    _, read, problems = load(pictures, Preprocessing(8, 8))
    assert [p.name for p in read] == ['good.png'] and problems[0].startswith('gone.png: cannot be read')


def test_a_sets_pictures_that_cannot_be_read_are_left_out_and_said(tmp_path, capsys):
    picture = encoded('PNG')
    files = {f'{split}/{label}/{i}.png': picture for split in ('train', 'val') for label in 'ab' for i in range(2)}
    broken = {name: picture[:60] for name in ('train/b/0.png', 'val/a/1.png', 'val/b/0.png', 'val/b/1.png')}
    images = ImageFiles(zip_of(tmp_path, files | broken), ['a', 'b'], Preprocessing(8, 8))
    assert images.training(4).labels.tolist().count(1) == 1
    assert capsys.readouterr().err.startswith('  left out: 1 of 4 pictures that cannot be read; the first: train/b/0.png: damaged')
    assert images.held_out(4).labels.tolist() == [0] and [name for name, _, _ in images.samples(2)] == ['val/a/0.png']
    assert capsys.readouterr().err.count('left out: 3 of 4 pictures') == 2
    only = ImageFiles(zip_of(tmp_path, {name: file if 'train' in name else file[:60] for name, file in files.items()}), ['a', 'b'], Preprocessing(8, 8))
    for read in (only.held_out, only.samples):
        with pytest.raises(PictureError, match='set.zip: none of 4 pictures can be read; the first: val/'):
            read(4)


def test_one_kind_of_files_is_looked_for_read_and_shown(tmp_path):
    """In sets that are trained on, in any folder that is imported, and in the tab."""
    assert {Image.registered_extensions()[suffix] for suffix in SUFFIXES} == set(READ_FORMATS) and pictures.SUFFIXES is SUFFIXES
    client = (Path(__file__).parents[2] / 'client/src/worker/pictureFile.ts').read_text('utf-8')
    shown = re.findall("'([a-z]+)'", re.search(r'readTypes = \[(.*)\]', client)[1])
    assert {Image.registered_extensions()[f'.{kind}'] for kind in shown} == set(READ_FORMATS)
    kinds = {'.png': 'PNG', '.jpg': 'JPEG', '.jpeg': 'JPEG', '.gif': 'GIF', '.webp': 'WEBP'}
    assert set(kinds) == set(SUFFIXES)
    files = {f'{split}/{label}/0{suffix}': encoded(kind) for split in ('train', 'val') for label in 'ab' for suffix, kind in kinds.items()}
    path = zip_of(tmp_path, files)
    assert len(ImageFiles(path, ['a', 'b'], Preprocessing(8, 8)).training(99).images) == 2 * len(kinds)
    assert len(load_splits(str(path), tmp_path, tmp_path / 'cache', 2).test) == 2 * len(kinds)
    assert len(find_pictures(path, Labels.of(['a', 'b']))) == len(files)


def test_a_set_of_bmps_is_refused_before_it_is_trained_on(tmp_path):
    files = {f'{split}/{label}/0.png': encoded('PNG') for split in ('train', 'val') for label in 'ab'}
    path = zip_of(tmp_path, files | {'train/b/1.BMP': encoded('BMP')})
    for read in (lambda: load_splits(str(path), tmp_path, tmp_path / 'cache'), lambda: ImageFiles(path, ['a', 'b'], Preprocessing(8, 8))):
        with pytest.raises(ValueError, match='train/b/1.BMP: expected one of .jpg, .*save it as PNG'):
            read()
    zip_of(tmp_path, files | {'notes/1.bmp': encoded('BMP')})
    ImageFiles(path, ['a', 'b'], Preprocessing(8, 8))


def test_a_rounding_goes_on_without_pictures_that_cannot_be_read(tmp_path, capsys):
    pictures = find_pictures(damaged_zip(tmp_path), Labels.of(['a', 'b']))
    assert sum(len(images) for images in batches(pictures, Preprocessing(8, 8), 1)) == 1
    assert capsys.readouterr().err.count('left out') == 4


@pytest.mark.parametrize('size', [(1, 50_000), (50_000, 1)])
def test_a_thread_of_a_picture_is_left_out_before_it_fills_the_memory(size):
    with pytest.raises(PictureError, match='too long and narrow'):
        Preprocessing(248, 224).apply(Image.new('RGB', size))
    assert Preprocessing(248, 224, fit='squash').apply(Image.new('RGB', size)).shape == (224, 224, 3)
