import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tiny_artifact import export_tiny

from exporter.calibrate import calibrate
from exporter.tiny import tiny_checkpoint, tiny_images


@pytest.fixture(scope='session')
def checkpoint():
    return tiny_checkpoint()


@pytest.fixture(scope='session')
def images():
    return tiny_images(48, seed=3)


@pytest.fixture(scope='session')
def ranges(checkpoint, images):
    return calibrate(checkpoint.fold(), images)


@pytest.fixture(scope='session')
def artifact(checkpoint, tmp_path_factory):
    """(folder, folded model) of the tiny checkpoint."""
    out = tmp_path_factory.mktemp('tiny')
    return out, export_tiny(checkpoint, out)
