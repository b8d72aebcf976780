"""The report: one self-contained HTML page with every alignment. The page itself is score_report.html.

The data are put into the page as JSON, and its script makes the tables of them; text from the files is only ever set
as text, never as markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from asrbias import __version__
from asrbias.score_analysis import Analysis
from asrbias.score_plot import plots
from asrbias.score_results import Occurrence, ScoreInputError, UtteranceScore
from asrbias.score_tables import heading, tables


def page(analysis: Analysis) -> str:
    """The whole page; bytes depend on the analysis alone, so that reports can be compared."""
    template = files("asrbias").joinpath("score_report.html").read_text(encoding="utf-8")
    drawing = ""
    if analysis.settings:
        try:
            drawing = plots(analysis.settings)
        except ScoreInputError as error:  # the runs do not differ in what is plotted; the page is whole without
            drawing = f"<p>{escape(str(error))}</p>"
    data = json.dumps(_data(analysis), ensure_ascii=False, separators=(",", ":"))
    values = {
        "@TITLE@": escape(f"Scores of {analysis.main.name}"),
        "@VERSION@": escape(__version__),
        "@PLOT@": drawing,
        "@DATA@": data.replace("<", "\\u003c"),  # so that no text can end the script element
    }
    # In one pass, so that a value that holds a mark is left as it is.
    return re.sub("|".join(values), lambda match: values[match[0]], template)


def _data(analysis: Analysis) -> dict[str, Any]:
    others = [] if analysis.baseline is None else analysis.baseline.score.utterances
    pairs = list(zip(analysis.main.score.utterances, others, strict=True)) if others else []
    return {
        "heading": heading(analysis),
        "notes": list(analysis.notes),
        "systems": [analysis.main.name] + ([] if analysis.baseline is None else [analysis.baseline.name]),
        "tables": [
            {
                "title": t.title,
                "columns": t.columns,
                "rows": t.rows,
                "captions": t.captions,
                "decimals": [
                    2 if any(isinstance(row[k], float) for row in t.rows) else 0 for k in range(len(t.columns))
                ],
            }
            for t in tables(analysis)
            if t.rows
        ],
        "utterances": [_utterance(a, b) for a, b in pairs]
        or [_utterance(score, None) for score in analysis.main.score.utterances],
    }


def _utterance(score: UtteranceScore, other: UtteranceScore | None) -> dict[str, Any]:
    shown = _system(score)
    return {
        "id": score.utterance.id,
        "words": score.wer.ref_words,
        "systems": [shown] if other is None else [shown, _system(other)],
    }


def _system(score: UtteranceScore) -> dict[str, Any]:
    return {
        "errors": score.wer.errors,
        "rate": score.wer.error_rate,
        "found": len(score.found),
        "missed": len(score.missed),
        "false": len(score.false_hits),
        "pairs": _pairs(score),
    }


def _pairs(score: UtteranceScore) -> list[list[str | None]]:
    """[reference word, hypothesis word, mark of the first, mark of the second]; f found, m missed, x false hit."""
    above = _marks(len(score.reference), ("f", score.found), ("m", score.missed))
    below = _marks(len(score.hypothesis), ("x", score.false_hits))
    return [
        [
            score.reference[i] if i >= 0 else None,
            score.hypothesis[j] if j >= 0 else None,
            above[i] if i >= 0 else "",
            below[j] if j >= 0 else "",
        ]
        for i, j in score.alignment
    ]


def _marks(words: int, *kinds: tuple[str, Sequence[Occurrence]]) -> list[str]:
    """A letter for each kind of occurrence that covers the word."""
    marks = [""] * words
    for letter, occurrences in kinds:
        for occurrence in occurrences:
            for k in range(occurrence.start, occurrence.end):
                if letter not in marks[k]:
                    marks[k] += letter
    return marks
