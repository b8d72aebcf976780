"""`asrbias score`: see docs/scoring.md, or --help."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asrbias.errors import sentence
from asrbias.files import write_whole
from asrbias.normalisation import NORMALISATIONS
from asrbias.score import WER_ALIGNMENTS, ScoreOptions, score_utterances
from asrbias.score_analysis import Analysis, AnalysisOptions, analyse, setting
from asrbias.score_files import Run, read_run
from asrbias.score_formats import FORMATS
from asrbias.score_results import ScoreInputError
from asrbias.significance import BootstrapOptions

READABLE = 24  # characters of a system's name that the tables hold without trouble
RESAMPLES = 10_000  # where a baseline is given and nothing else is said


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `asrbias score` to a parser."""
    parser.description = "Score transcripts: WER, U-WER, B-WER, CER, entity precision, recall and F1."
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="output of a run, with references; several are plotted"
    )
    files = parser.add_argument_group("files")
    files.add_argument("--refs", type=Path, metavar="FILE", help="references, where FILE does not hold them")
    files.add_argument("--hyps", type=Path, metavar="FILE", help="hypotheses; the same as FILE")
    files.add_argument("--baseline", type=Path, metavar="FILE", help="a second system, compared by paired bootstrap")
    files.add_argument("--format", choices=["auto", *FORMATS], default="auto", help="default: told from the first line")
    files.add_argument("--list", type=Path, metavar="FILE", help="phrases that every utterance was given")
    files.add_argument("--partial", action="store_true", help="score what both files have, say what was left out")
    rules = parser.add_argument_group("rules")
    rules.add_argument("--normalisation", choices=NORMALISATIONS, help="default: none for is21, else basic")
    rules.add_argument("--wer-alignment", choices=WER_ALIGNMENTS, help="default: is21 for is21, else minimum")
    more = parser.add_argument_group("more than totals")
    more.add_argument("--by", default="", metavar="FIELD,FIELD", help="groups, such as corpus,accent,age,gender")
    more.add_argument("--seen", type=Path, metavar="FILE", help="words seen in training, a word a line")
    more.add_argument("--bonus", default="", metavar="X,X", help="the bonus of each of several runs, for the plot")
    more.add_argument("--resamples", type=int, metavar="N", help="bootstrap; default 10,000 with a baseline, else 0")
    more.add_argument("--seed", type=int, help="of the bootstrap (default 0)")
    more.add_argument("--resample-by", metavar="FIELD", help="such as speaker; default utterance")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="write a report, one self-contained page")
    output.add_argument("--plot", type=Path, metavar="FILE.svg", help="write the plots of several runs")
    output.add_argument("--utterances", type=Path, metavar="FILE", help="write each utterance's scores as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Score as the arguments say; 0, or 2 after one sentence on standard error."""
    try:
        analysis, is21 = _analysis(args)
        _write(analysis, args)
    except (ValueError, ImportError, OSError, MemoryError) as error:
        print(f"asrbias score: {sentence(error)}", file=sys.stderr)
        return 2
    _print(analysis, is21, args.json)
    return 0


def _analysis(args: argparse.Namespace) -> tuple[Analysis, bool]:
    files = [*args.files, *([] if args.hyps is None else [args.hyps])]
    if not files:
        raise ScoreInputError("There is nothing to score; give the output of a run, or --refs and --hyps.")
    names = short_names([*files, *([] if args.baseline is None else [args.baseline])])
    runs = [_read(args, file) for file in files]
    is21 = runs[0].format == "is21"
    options = _options(args, is21)
    baseline = None
    if args.baseline is not None:
        baseline = (names[-1], _read(args, args.baseline))
    analysis = analyse(names[0], runs[0], options, baseline)
    bonuses = _bonuses(args.bonus, len(files))
    if len(files) > 1:
        scores = [analysis.main.score, *(score_utterances(r.utterances, options.score) for r in runs[1:])]
        settings = tuple(setting(n, s, b) for n, s, b in zip(names, scores, bonuses, strict=False))
        analysis = replace(analysis, settings=settings)
    return analysis, is21


def _read(args: argparse.Namespace, file: Path) -> Run:
    return read_run(file, args.refs, format=args.format, partial=args.partial, common_list=args.list)


def _options(args: argparse.Namespace, is21: bool) -> AnalysisOptions:
    resamples = args.resamples if args.resamples is not None else RESAMPLES if args.baseline is not None else 0
    bootstrap = None
    if not resamples and (args.resample_by is not None or args.seed is not None):
        raise ScoreInputError("--resample-by and --seed are for the bootstrap; give --resamples N or --baseline too.")
    if resamples:
        bootstrap = BootstrapOptions(resamples=resamples, seed=args.seed or 0, unit=args.resample_by or "utterance")
    return AnalysisOptions(
        score=ScoreOptions(
            normalisation=args.normalisation or ("none" if is21 else "basic"),
            wer_alignment=args.wer_alignment or ("is21" if is21 else "minimum"),
            partial=args.partial,
        ),
        by=tuple(field.strip() for field in args.by.split(",") if field.strip()),
        seen=args.seen,
        bootstrap=bootstrap,
    )


def short_names(files: Sequence[Path]) -> list[str]:
    """What tells the files apart: without the ending, and without what all have in common up to a mark."""
    names = [re.sub(r"(\.(jsonl|json|tsv|txt|trn|gz))+$", "", file.name) for file in files]
    if len(set(names)) < len(names):
        names = [str(file) for file in files]
    if max(map(len, names)) <= READABLE:
        return names
    parts = [re.split(r"(?<=[./_-])", name) for name in names]
    while len(names) > 1 and all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while len(names) > 1 and all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    short = ["".join(part).strip("./_-") for part in parts]
    return short if all(short) and len(set(short)) == len(short) else names


def _bonuses(text: str, runs: int) -> list[float | None]:
    if not text:
        return [None] * runs
    try:
        values: list[float | None] = [float(value) for value in text.split(",")]
        if not all(map(math.isfinite, filter(None, values))):
            raise ValueError(text)
    except ValueError as error:
        raise ScoreInputError(f"--bonus is {text!r}; give numbers separated by commas, one a run.") from error
    if len(values) != runs:
        raise ScoreInputError(f"--bonus gives {len(values)} numbers for {runs} runs; give one for each.")
    return values


def _write(analysis: Analysis, args: argparse.Namespace) -> None:
    if args.plot is not None:
        from asrbias.score_plot import plots

        write_whole(args.plot, plots(analysis.settings).encode())
    if args.html is not None:
        from asrbias.score_html import page

        write_whole(args.html, page(analysis).encode())
    if args.utterances is not None:
        from asrbias.score_json import utterance_dict

        rows = (json.dumps(utterance_dict(s), ensure_ascii=False) + "\n" for s in analysis.main.score.utterances)
        write_whole(args.utterances, "".join(rows).encode())


def _print(analysis: Analysis, is21: bool, as_json: bool) -> None:
    if as_json:
        from asrbias.score_json import to_dict

        print(json.dumps(to_dict(analysis), ensure_ascii=False, indent=1))
        return
    from rich.console import Console

    from asrbias.score_terminal import show

    if is21:  # as is21_deep_bias prints them, so that the two can be compared with diff
        totals = analysis.main.score.totals
        print(f"WER: {totals.wer}\nU-WER: {totals.u_wer}\nB-WER: {totals.b_wer}", flush=True)
    show(analysis, Console())


def main() -> int:
    parser = argparse.ArgumentParser(prog="asrbias score")
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
