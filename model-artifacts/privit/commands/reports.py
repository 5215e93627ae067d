"""`python -m privit evaluate|frontier|card`: accuracies and ranges, tables and plots."""
from __future__ import annotations

import argparse
import json
from pathlib import Path

from vit.card import model_card
from vit.checkpoint import check_labels, load_checkpoint
from vit.model import count_on

from ..evaluate import best_cross_entropy, logits_of, top1
from ..frontier import frontier_points, frontier_table, leads_table, recorded_points, recorded_table
from ..plots import plot_frontier, plot_recorded
from ..ranges import RangeMaxima
from .arguments import Commands, common, fallback_config, splits_of


def run_evaluate(arguments: argparse.Namespace) -> None:
    model, switches, description = load_checkpoint(arguments.checkpoint, fallback_config(arguments))
    splits = splits_of(arguments, description)
    images = getattr(splits, arguments.split)
    check_labels(arguments.checkpoint, description, images.info)
    ranges = RangeMaxima(model.config, switches)
    logits = logits_of(model, switches, images, ranges)
    cross_entropy, temperature = best_cross_entropy(logits, images.labels)
    softmax, gelu = count_on(switches)
    print(json.dumps({
        'checkpoint': str(arguments.checkpoint), 'split': arguments.split, 'images': len(images),
        'top1': top1(logits, images.labels), 'crossEntropy': cross_entropy, 'temperature': temperature,
        'softmaxRows': softmax, 'geluTokens': gelu, 'maxima': ranges.summary(),
    }, indent=1))  # fmt: skip


def run_frontier(arguments: argparse.Namespace) -> None:
    if arguments.points:
        recorded = recorded_points(arguments.points)
        plot_recorded(recorded, arguments.out)
        print(recorded_table(recorded), leads_table(recorded), sep='\n\n')
        return
    points = frontier_points(arguments.runs)
    plot_frontier(points, arguments.out)
    print(frontier_table(points))


def run_card(arguments: argparse.Namespace) -> None:
    arguments.out.write_text(model_card(arguments.checkpoint, arguments.evaluations, arguments.notes))


def register(commands: Commands) -> None:
    p = commands.add_parser('evaluate', help='accuracy and reached ranges of a checkpoint on one split')
    common(p, runs=False)
    p.add_argument('--checkpoint', type=Path, required=True)
    p.add_argument('--split', choices=['validation', 'test'], default='validation', help='test is for one final figure')
    p.set_defaults(run_command=run_evaluate)

    p = commands.add_parser('frontier', help='accuracy against budget, from finished runs of search and baselines; or against what was recorded')
    of = p.add_mutually_exclusive_group(required=True)
    of.add_argument('--runs', type=Path, nargs='+', help='run folders: against switches that stay')
    of.add_argument('--points', type=Path, help='of `npm run frontier`: against bytes, flights and seconds')
    p.add_argument('--out', type=Path, required=True, help='PNG; a table is printed')
    p.set_defaults(run_command=run_frontier)

    p = commands.add_parser('card', help='model card in Markdown')
    p.add_argument('--checkpoint', type=Path, required=True)
    p.add_argument('--evaluations', type=Path, nargs='*', default=[], help='JSON printed by evaluate')
    p.add_argument('--notes', default='', help='hours, machine, date')
    p.add_argument('--out', type=Path, required=True)
    p.set_defaults(run_command=run_card)
