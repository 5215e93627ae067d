"""The packages' types and lint, as `npm run check` has them."""
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize('command', [['mypy'], ['ruff', 'check', '.']], ids=['types', 'lint'])
def test_nothing_is_found(command):
    done = subprocess.run([sys.executable, '-m', *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
