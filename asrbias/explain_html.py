"""The page of an explanation: one self-contained HTML file. The page itself is explain_page.html.

The drawings and tables are markup already, so that the page can be read without its script, which adds what is under
the pointer. Text from files is escaped wherever it stands.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from asrbias import __version__
from asrbias.align_words import MINIMUM, align
from asrbias.explain_strips import LEFT, SCALE, cut, draw, svg
from asrbias.explain_tables import attention_table, changes_table, heading, notes, text
from asrbias.explanation import Explanation
from asrbias.transcript import Transcript

LONGEST = 300.0  # seconds on one page


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What of a recording is drawn. Raises ValueError for moments that are none."""

    title: str = "Recording"
    start: float = 0.0  # seconds
    end: float = float("inf")  # seconds; no more than LONGEST after the start

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(
                f"From {self.start:g} s to {self.end:g} s there is nothing to draw; the start must be 0 or more "
                "and the end after it."
            )


def page(explanation: Explanation, options: PageOptions = PageOptions()) -> str:
    """The whole page; bytes depend on the arguments alone. Raises ValueError if the start is after the audio's end."""
    first, last = window(explanation, options)
    differing = differences(explanation.transcript, explanation.plain)
    strips = [draw(explanation, a, b, differing) for a, b in cut(explanation, first, last)]
    template = files("asrbias").joinpath("explain_page.html").read_text(encoding="utf-8")
    summary = explanation.to_json(first, last)
    data = {"strips": [_hover(explanation, strip.first, strip.last, strip.rows) for strip in strips],
            "labels": list(explanation.labels), "scale": SCALE, "left": LEFT,
            "step": explanation.seconds_per_frame, "summary": summary}  # fmt: skip
    values = {
        "@TITLE@": escape(options.title),
        "@VERSION@": escape(__version__),
        "@HEADING@": escape(heading(explanation)),
        "@NOTES@": "".join(f'<p class="note">{escape(note)}</p>' for note in notes(explanation, first, last)),
        "@PLAIN@": text(explanation.plain, differing[1], "del"),
        "@BIASED@": text(explanation.transcript, differing[0], "ins"),
        "@STRIPS@": "\n".join(svg(strip, number) for number, strip in enumerate(strips)),
        "@ATTENTION@": attention_table(explanation, summary),
        "@CHANGES@": changes_table(explanation, summary),
        "@DATA@": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    # In one pass, so that a value that holds a mark is left as it is.
    return re.sub("|".join(values), lambda match: values[match[0]], template)


def window(explanation: Explanation, options: PageOptions) -> tuple[int, int]:
    """The frames first..last-1 that are drawn."""
    step, frames = explanation.seconds_per_frame, len(explanation.log_probs)
    first = int(options.start / step + 1e-6)
    if first >= frames:
        raise ValueError(
            f"The start is {options.start:g} s but the audio ends at {explanation.duration:.2f} s; give an earlier one."
        )
    seconds = min(options.end - options.start, LONGEST, frames * step)
    return first, min(frames, max(first + 1, first + round(seconds / step)))


def differences(one: Transcript, other: Transcript) -> tuple[frozenset[int], frozenset[int]]:
    """Positions of the words of each that the other does not have there; case does not count."""
    sides = [
        [(n, part.casefold()) for n, word in enumerate(t.words) for part in word.text.split()] for t in (one, other)
    ]
    a, b = sides
    found: tuple[set[int], set[int]] = (set(), set())
    for i, j in align([part for _, part in a], [part for _, part in b], MINIMUM):
        if i < 0 or j < 0 or a[i][1] != b[j][1]:
            if i >= 0:
                found[0].add(a[i][0])
            if j >= 0:
                found[1].add(b[j][0])
    return frozenset(found[0]), frozenset(found[1])


def _hover(explanation: Explanation, first: int, last: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page's script says of a frame: weights in thousandths, the best label with the adapter and without."""
    sides = []
    for log_probs in (explanation.log_probs, explanation.base_log_probs):
        part = log_probs[first:last]
        chances = np.rint(1000 * np.minimum(1.0, np.exp(part.max(1)))).astype(int)
        sides.append(np.stack([part.argmax(1), chances], 1).tolist())
    return {"first": first, "rows": rows, "best": sides[0], "was": sides[1] if explanation.adapted else None}
