"""`asrbias explain`: a page that shows what a list did to a recording."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

from rich.console import Console

from asrbias.decoder import UnusableEntityWarning
from asrbias.entities import EntityList
from asrbias.explain_html import LONGEST, PageOptions, page
from asrbias.files import write_whole
from asrbias.transcribe_command import add_model_arguments, coloured, make_recognizer, remark_on_list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias explain` to a parser."""
    parser.description = (
        "Write a page that shows what a list did to a recording: words, which entity was attended to when, the "
        "spectrogram, and what changed (docs/explain.md)."
    )
    parser.add_argument("audio", type=Path, metavar="AUDIO", help="wav, flac, mp3, ogg, opus, m4a, ...")
    parser.add_argument("--entities", type=Path, metavar="FILE", required=True, help="the list")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", default=Path("page.html"), help="default: %(default)s"
    )
    parser.add_argument(
        "--from", dest="start", type=float, default=0.0, metavar="SECONDS", help="draw from here on (default: 0)"
    )
    parser.add_argument(
        "--to", dest="end", type=float, default=float("inf"), metavar="SECONDS",
        help=f"and up to here (default: the end; {LONGEST:.0f} s are drawn at most)",
    )  # fmt: skip
    add_model_arguments(parser)
    parser.add_argument("--json", action="store_true", help="also print a summary as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Write the page; print the text with the list, or with --json the summary."""
    if arguments.no_lm and arguments.lm:
        raise ValueError("--no-lm and --lm contradict each other; give one of them.")
    if arguments.output.is_dir():
        raise ValueError(f"{arguments.output} is a folder; give the page a file's name with -o.")
    if arguments.output.exists() and any(
        other.exists() and arguments.output.samefile(other) for other in (arguments.audio, arguments.entities)
    ):
        raise ValueError(f"{arguments.output} is the recording or the list; give the page another name with -o.")
    options = PageOptions(title=f"{arguments.audio.name}: what the list did", start=arguments.start, end=arguments.end)
    entities = EntityList.read(arguments.entities)
    recognizer = make_recognizer(arguments)
    remark_on_list(entities, recognizer.decoder.labels)
    from asrbias.explain import explain

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusableEntityWarning)  # each was just named, with its reason
        explanation = explain(recognizer, arguments.audio, entities)
    write_whole(arguments.output, page(explanation, options).encode("utf-8"))
    if arguments.json:
        print(json.dumps({"audio": str(arguments.audio), **explanation.to_json()}, ensure_ascii=False))
    else:
        Console(soft_wrap=True, highlight=False).print(coloured(explanation.transcript))
    return 0
