"""`asrbias entities`: the report of a list."""

from __future__ import annotations

import argparse
from pathlib import Path

from asrbias.entities import EntityList


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias entities` to a parser."""
    parser.description = "Say of every entity of a list whether it can be found, under which forms, and what is risky."
    parser.add_argument("file", type=Path, metavar="FILE", help="text, TSV, CSV, JSON, or an AWS vocabulary table")
    parser.add_argument("--model", metavar="NAME", help="check against what this model can spell (default: a-z and ')")


def run(arguments: argparse.Namespace) -> int:
    """Print the report; status 1 if an entity was dropped."""
    labels = None
    if arguments.model is not None:
        from asrbias.loading import load

        labels = load(arguments.model).model.vocabulary.labels
    report = EntityList.read(arguments.file).report(labels)
    print(report)
    return 1 if any(row.status == "dropped" for row in report.rows) else 0
