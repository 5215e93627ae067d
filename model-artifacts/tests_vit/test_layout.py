"""Imports go one way, down this list: privit, exporter, vit; nothing is imported inside a function to hide a circle."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW: dict[str, set[str]] = {'vit': set(), 'exporter': {'vit'}, 'privit': {'vit', 'exporter'}}
FILES = [path for package in BELOW for path in sorted((ROOT / package).rglob('*.py'))]


def imports(tree: ast.AST) -> set[str]:
    """The first parts of absolute imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.split('.')[0])
    return names


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT).parts[0]
    assert imports(tree) & set(BELOW) <= BELOW[package] | {package}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            assert not imports(function) & set(BELOW), f'{function.name} imports inside its body'


def test_all_packages_are_seen():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(BELOW)
