"""An earlier exporter's manifest, refreshed: one part, squares that fit their field, and the same network within what its errors allow."""
import json
from pathlib import Path

import numpy as np

from exporter.fields import field_turn
from exporter.folding import ceil_log2
from exporter.harmonics import read_harmonics
from exporter.quantise import activation_tables
from exporter.refresh import refresh

ZOO = Path(__file__).parents[1] / 'zoo'


def test_bundled_manifests_are_refreshed_and_stay_so():
    for path in sorted(ZOO.glob('*/manifest.json')):
        before = json.loads(path.read_text())
        after = json.loads(path.read_text())
        refresh(after)
        again = json.loads(json.dumps(after))
        refresh(again)
        assert again == after
        for old, new in zip(before['fixedPoint']['blocks'], after['fixedPoint']['blocks']):
            assert ('mlp' in old) == ('mlp' in new)
            tables = [activation_tables(block['mlp']) if 'mlp' in block else [] for block in (old, new)]
            for was, spec in zip(*tables):
                if 'parts' not in spec:
                    assert spec == was
                    continue
                assert len(spec['parts']) == 1 and spec['out'] == was['out'] and spec.get('units') == was.get('units')
                x = np.linspace(-spec['reach'], spec['reach'], 1001)
                assert np.abs(read_harmonics(spec).evaluate(x) - read_harmonics(was).evaluate(x)).max() < 0.02
            for squaring in new['attn'].get('squarings', []):
                assert field_turn(squaring, ceil_log2(after['architecture']['tokens'])) is not None
                assert squaring['input']['fracBits'] >= 5
