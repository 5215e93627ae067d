"""Files of labels are read as Node reads them (test/vectors/labels.json, which both are held to), and names are what a manifest takes."""
import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import ExportError
from exporter.export import title_of
from exporter.images import Preprocessing
from exporter.limits import check_limits, check_words
from exporter.pictures import PicturesProblem, read_labels
from exporter.text import REFUSED, cut, plain_text, utf16_length

CASES = json.loads((Path(__file__).parents[2] / 'test/vectors/labels.json').read_text('utf-8'))


@pytest.mark.parametrize('case', CASES, ids=lambda case: case['name'])
def test_a_file_of_labels(case, tmp_path):
    path = tmp_path / case['file']
    path.write_bytes(base64.b64decode(case['base64']) if 'base64' in case else case['text'].encode())
    if 'problem' in case:
        with pytest.raises(PicturesProblem, match=case['problem']):
            read_labels(path)
        return
    labels = read_labels(path)
    assert labels.names == case['names']
    assert {word: labels.index(word) for word in case['classes']} == case['classes']
    assert all(utf16_length(name) <= 80 and not REFUSED.search(name) for name in labels.names)


def test_a_folder_is_no_file_of_labels(tmp_path):
    with pytest.raises(PicturesProblem, match='cannot be read'):
        read_labels(tmp_path)


def test_words_are_plain_and_cut_in_whole_characters():
    refused = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    for code in refused:
        assert plain_text(f'a{chr(code)}b') in ('ab', 'a b')
    assert plain_text('\ta\r\n\tb\n') == 'a b'
    assert cut('ab🦈', 3) == 'ab' and cut('ab🦈', 4) == 'ab🦈' and utf16_length('ab🦈') == 4


@pytest.mark.parametrize('label', ['', 81 * 'x', 41 * '🦈', 'a\x1bb', 'a\u202eb'])
def test_labels_that_the_manifest_reader_refuses_are_refused_first(label, checkpoint):
    description = {**checkpoint.description, 'labels': [label, *checkpoint.description['labels'][1:]]}
    with pytest.raises(ExportError, match='label: observed'):
        check_limits(replace(checkpoint, description=description), Preprocessing(8, 8))


def test_titles_are_plain_and_counted_in_utf16(checkpoint):
    assert title_of(replace(checkpoint, description={**checkpoint.description, 'dataset': '\u202eno\tise\x07'})).startswith('no ise: ')
    check_words(60 * '🦈', '')
    with pytest.raises(ExportError, match='title: observed 122 characters'):
        check_words(61 * '🦈', '')
