"""Recorded points: the table, the plot, and which of them nothing cheaper reaches."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from privit.__main__ import main
from privit.frontier import leads_table, recorded_points, smallest_lead, undominated

POINT = {
    'name': 'a', 'method': 'faithful', 'seed': 0, 'blocks': 12, 'tokens': 50, 'softmaxRows': 413, 'geluTokens': 11, 'accuracy': 0.8, 'images': 3925,
    'onlineBytes': 10_000_000, 'offlineBytes': 40_000_000, 'flights': 300, 'onlineSeconds': 2.5, 'offlineSeconds': 8.0, 'date': '2026-11-29',
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    dearer = {'name': 'b', 'accuracy': 0.79, 'onlineBytes': 11_000_000, 'seed': 1}
    best = {'name': 'c', 'accuracy': 0.9, 'onlineBytes': 12_000_000}
    (tmp_path / 'points.json').write_text(json.dumps([POINT, POINT | best, POINT | dearer, POINT | {'name': 'd', 'method': 'random', 'accuracy': 0.5}]))
    return tmp_path / 'points.json'


def test_a_table_and_a_plot(file: Path, tmp_path: Path, capsys):
    main(['frontier', '--points', str(file), '--out', str(tmp_path / 'frontier.png')])
    table = capsys.readouterr().out.split('\n\n')[0].splitlines()
    assert table[2] == '| faithful | 12 blocks, 50 tokens | 413 | 11 | 80.00 % | 10.00 | 40.0 | 300 | 2.50 |'
    assert [line.split('|')[5].strip() for line in table[2:]] == ['80.00 %', '79.00 %', '90.00 %', '50.00 %']
    assert 'seed 1' in table[3]
    assert (tmp_path / 'frontier.png').read_bytes().startswith(b'\x89PNG')


def test_what_a_cheaper_one_reaches_is_left_out(file: Path):
    faithful = [p for p in recorded_points(file) if p['method'] == 'faithful']
    assert [p['name'] for p in undominated(faithful, 'totalBytes')] == ['a', 'c']


def test_runs_or_points(file: Path, tmp_path: Path):
    with pytest.raises(SystemExit):
        main(['frontier', '--points', str(file), '--runs', str(tmp_path), '--out', str(tmp_path / 'frontier.png')])


def costing(onlineBytes: int, accuracy: float) -> dict:
    return {'onlineBytes': onlineBytes, 'accuracy': accuracy}


def test_the_smallest_lead_is_where_the_two_come_closest():
    below = [costing(10, 0.7), costing(20, 0.8), costing(30, 0.82)]
    lead, at = smallest_lead([costing(10, 0.75), costing(20, 0.81)], below, 'onlineBytes')
    assert (round(lead, 6), at) == (-0.01, 30)  # nothing dearer than 20: its 81 % stays below 82
    lead, at = smallest_lead([costing(19, 0.72), costing(21, 0.9)], below, 'onlineBytes')
    assert (round(lead, 6), at) == (-0.08, 20)  # at 19 it led, where below has 10's


def test_a_frontier_that_falls_below_says_so(file: Path):
    points = recorded_points(file)
    table = leads_table(points).splitlines()
    assert [line.split('|')[1:3] for line in table[2:]] == [[' faithful ', ' random ']]
    assert '+30.00 points at 10 MB' in table[2]
    worse = [p | {'accuracy': 0.4} if p['method'] == 'faithful' else p for p in points]
    assert '-10.00 points' in leads_table(worse)
