"""What rounding the answer costs: counted as the plan rounds, and only of what is held out."""
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.cli import main
from exporter.commands.rounding import ANSWER_FRAC_BITS, compare, revealed, spread
from exporter.simulate import Simulation
from exporter.tiny import tiny_images

ROOT = Path(__file__).resolve().parents[2]


def test_the_answer_has_the_plans_fraction_bits():
    plan = (ROOT / 'protocols/inference/vit.ts').read_text()
    assert int(re.search(r'answerFracBits = (\d+);', plan)[1]) == ANSWER_FRAC_BITS
    logits = np.array([[-385, -384, -128, 127, 128, 383, 384]])
    np.testing.assert_array_equal(revealed(logits, 16), [[-2, -1, 0, 0, 1, 1, 2]])
    np.testing.assert_array_equal(revealed(logits, 8), logits)


def test_ties_other_labels_and_near_ties_are_told_apart():
    exact = np.array([[900, 100, 0], [0, 260, 300], [0, 300, 260], [0, 900, 300], [700, 0, 300]])
    rounded = np.array([[4, 0, 0], [0, 1, 1], [0, 1, 1], [0, 2, 1], [0, 3, 1]])
    assert compare(exact, rounded) == {'images': 5, 'ties': 2, 'labelsAtTies': 1, 'otherLabels': 1, 'nearTies': 3}


def test_the_command_reads_what_is_held_out(artifact, tmp_path, capsys):
    folder, _ = artifact
    for split, count in (('train', 4), ('test', 24)):
        for i, image in enumerate(tiny_images(count, seed=count)):
            path = tmp_path / 'set' / split / 'disc' / f'{i:02}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    main(['rounding', str(folder), '--images', str(tmp_path / 'set')])
    figures = json.loads(capsys.readouterr().out)
    simulation = Simulation.load(folder)
    logits = simulation.run(tiny_images(24, seed=24))
    best = np.sort(np.floor(logits * 2**8 + 0.5), axis=1)
    assert figures == {
        'images': 24, 'ties': int((best[:, -1] == best[:, -2]).sum()), 'labelsAtTies': 0, 'otherLabels': 0,
        'nearTies': int((best[:, -1] - best[:, -2] <= 1).sum()), 'unit': 2**-8, 'imagesOutOfRange': 0,
    }  # fmt: skip
    with pytest.raises(SystemExit, match='no such folder'):
        main(['rounding', str(folder), '--images', str(tmp_path / 'nothing')])
    assert spread(list(range(10)), 4) == [0, 2, 5, 7] and spread([1, 2], None) == [1, 2]
